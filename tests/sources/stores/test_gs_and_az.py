"""Google's and Azure's object stores, against a local server that speaks as much as is asked.

It serves files by path and keeps the headers: of Google the XML interface (`/bucket/key`, what
obstore asks), of Azure `/account/container/key`. Who shows no credentials sees public buckets
only. Nothing else of the two services is imitated: no tokens are given out, none are checked.
"""

import http.server
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from napari_octree.sources.errors import SourceError
from napari_octree.sources.levels.level_source import as_level_source
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from plate_writer import PlateWriter, noise

PIXELS = noise((64, 96))
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def write_image(path: Path, zarr_format: int) -> None:
    version = "0.5" if zarr_format == 3 else "0.4"
    PlateWriter(path.parent, version).field("", path.name, PIXELS)


class Cloud:
    """The server; `asked` are the requests: path, whether with credentials."""

    def __init__(self, root: Path) -> None:
        cloud = self
        self.root = root
        self.asked: list[tuple[str, bool]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                known = "Authorization" in self.headers or "sig=" in parts.query
                cloud.asked.append((unquote(parts.path), known))
                file = cloud.root / unquote(parts.path).lstrip("/")
                if "private" in file.parts and not known:
                    self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
                elif file.is_file():
                    self.answer(200, file.read_bytes())
                else:
                    self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

            do_HEAD = do_GET  # noqa: N815

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", f"{len(body)}")
                self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
                self.send_header("ETag", "one")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    cloud = Cloud(tmp_path)
    yield cloud
    cloud.server.shutdown()
    cloud.server.server_close()


@pytest.mark.parametrize("scheme", ["gs", "gcs"])
def test_an_image_on_gs(cloud, tmp_path, monkeypatch, scheme):
    """Anonymously, by the option or by the variable that Google's own tools know."""
    write_image(tmp_path / "images/some folder/a.zarr", 3)
    address = f"{scheme}://images/some folder/a.zarr"
    (image,) = read_ome_zarr(address, token="anon", endpoint_url=cloud.url)
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)
    assert as_level_source(image.levels[0]).storage.is_remote
    assert not any(known for _, known in cloud.asked)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.url)
    (image,) = read_ome_zarr(address)
    np.testing.assert_array_equal(image.levels[1][...], PIXELS[::2, ::2])
    assert not any(path.endswith("/") for path, _ in cloud.asked), "a store is never listed"


@pytest.mark.parametrize(
    "who",
    [
        {"account_name": "lab", "account_key": KEY},
        {"account_name": "lab", "sas_token": "?sv=2024-01-01&sig=abc%3D"},
        {"connection_string": f"AccountName=lab;AccountKey={KEY};EndpointSuffix=x"},
    ],
    ids=["key", "sas", "connection string"],
)
def test_an_image_on_az(cloud, tmp_path, who):
    """With each kind of credentials; they are neither in names nor in keys."""
    write_image(tmp_path / "lab/private/a b.zarr", 2)
    endpoint = f"{cloud.url}/lab"
    (image,) = read_ome_zarr("az://private/a b.zarr", endpoint_url=endpoint, **who)
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)
    assert all(known for _, known in cloud.asked)
    array = as_level_source(image.levels[0]).storage
    told = f"{array!r} {array.key} {array.source_name} {image.levels[0]!r} {image.where}"
    assert KEY not in told
    assert "sig=" not in told


def test_who_may_not_read_on_az_is_told(cloud, tmp_path):
    """Access is refused, which is not the same as absent; the message holds no key."""
    write_image(tmp_path / "lab/private/a.zarr", 3)
    options = {"account_name": "lab", "endpoint_url": f"{cloud.url}/lab", "anon": True}
    with pytest.raises(SourceError, match="refused") as refused:
        read_ome_zarr("az://private/a.zarr", **options)
    assert "Debug" not in f"{refused.value}"
    with pytest.raises(SourceError, match=r"az://open/a\.zarr: not zarr"):
        read_ome_zarr("az://open/a.zarr", **options)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_buckets_of_one_name_on_two_servers_are_two(tmp_path, zarr_format, monkeypatch):
    """Their arrays share no chunks in memory."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    keys = set()
    for name in ("one", "two"):
        write_image(tmp_path / name / "images/a.zarr", zarr_format)
        cloud = Cloud(tmp_path / name)
        (image,) = read_ome_zarr("gs://images/a.zarr", token="anon", endpoint_url=cloud.url)
        keys.add(as_level_source(image.levels[0]).storage.key)
        cloud.server.shutdown()
        cloud.server.server_close()
    assert len(keys) == 2
