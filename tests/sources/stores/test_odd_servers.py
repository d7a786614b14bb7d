"""Images over HTTP from servers that do things their own way."""

from __future__ import annotations

import gc
import gzip
import threading
import warnings
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.core.sync import sync

from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.stores.plain_http import BoundedHTTP

PIXELS = np.random.default_rng(0).integers(1, 255, (64, 96)).astype("u1")
PAGE = b"\n<!doctype html><html><body>an app</body></html>"


class Server(ThreadingHTTPServer):
    """Answers by `behave(handler, file)`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, root: Path, behave):
        self.root, self.behave = root, behave
        self.sent = []
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_):
        """The client has gone."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for a delayed acknowledgement

    def do_GET(self):
        self.server.behave(self, self.server.root / self.path.lstrip("/"))

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *_):
        pass

    def reply(self, body=b"", status=200, length=True, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.close_connection = True
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def plain(handler, file):
    """As `python -m http.server`: no ranges."""
    if file.is_file():
        handler.reply(file.read_bytes())
    else:
        handler.reply(PAGE, 404)


def absent_as(**answer):
    def behave(handler, file):
        if file.is_file():
            handler.reply(file.read_bytes())
        else:
            handler.reply(**answer)

    return behave


def compressed(handler, file):
    if file.is_file():
        handler.reply(gzip.compress(file.read_bytes()), Content_Encoding="gzip")
    else:
        handler.reply(PAGE, 404)


def without_length(handler, file):
    if file.is_file():
        handler.reply(file.read_bytes(), length=False)
    else:
        handler.reply(PAGE, 404)


def in_pieces(handler, file):
    if file.is_file():
        body = file.read_bytes()
        pieces = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        handler.reply(pieces, length=False, Transfer_Encoding="chunked")
    else:
        handler.reply(PAGE, 404)


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(behave):
        server = Server(tmp_path, behave)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/a.zarr"

    start.servers = servers
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def write(path, zarr_format=2, **keywords):
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    group.create_array("0", data=PIXELS, chunks=(16, 32), **keywords)
    axes = [{"name": name, "type": "space"} for name in "yx"]
    image = {"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}
    ome = {"version": "0.5", "multiscales": [image]}
    group.attrs.update({"multiscales": [image]} if zarr_format == 2 else {"ome": ome})


def pixels(image):
    storage = as_level_source(image.levels[0]).storage
    result = np.zeros(storage.shape, storage.dtype)
    grid = storage.grid((64, 64))
    for index in grid.indices(tuple((0, n) for n in storage.shape)):
        region = grid.region(index)
        result[tuple(slice(*pair) for pair in region)] = storage.read(region)
    return result


@pytest.mark.parametrize(
    "behave",
    [
        plain, compressed, without_length, in_pieces, absent_as(body=PAGE),
        absent_as(body=b""), absent_as(status=410), absent_as(status=403, body=b"no"),
    ],
    ids=[
        "plain", "compressed", "without length", "in pieces", "pages for absent",
        "nothing for absent", "gone", "refused",
    ],
)  # fmt: skip
def test_an_image_of_an_odd_server(tmp_path, serve, behave):
    write(tmp_path / "a.zarr")
    (image,) = read_ome_zarr(serve(behave))
    np.testing.assert_array_equal(pixels(image), PIXELS)


@pytest.mark.parametrize("behave", [plain, without_length], ids=["plain", "without length"])
def test_shards_of_a_server_without_ranges(tmp_path, serve, behave):
    write(tmp_path / "a.zarr", 3, shards=(32, 96))
    (image,) = read_ome_zarr(serve(behave))
    np.testing.assert_array_equal(pixels(image), PIXELS)


def test_a_server_that_answers_all_with_a_page(serve):
    address = serve(lambda handler, file: handler.reply(PAGE))
    with pytest.raises(SourceError, match=r"a\.zarr/.*answers with a web page"):
        read_ome_zarr(address)


@pytest.mark.parametrize("announced", [True, False])
def test_an_answer_without_end(serve, announced):
    sent = []

    def behave(handler, file):
        if file.name != "zarr.json":
            handler.reply(status=404)
            return
        handler.send_response(200)
        handler.close_connection = True
        if announced:
            handler.send_header("Content-Length", f"{2**40}")
        handler.end_headers()
        while handler.command == "GET" and len(sent) < 2**10:  # a GiB
            handler.wfile.write(bytes(2**20))
            sent.append(None)

    with pytest.raises(SourceError, match="is no metadata"):
        read_ome_zarr(serve(behave))
    assert len(sent) < 2**10


def with_ranges(handler, file):
    if not file.is_file():
        handler.reply(PAGE, 404)
        return
    body = file.read_bytes()
    first, _, last = handler.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")
    if first == "":
        start, stop = max(len(body) - int(last), 0), len(body)
    else:
        start, stop = int(first), int(last) + 1 if last else len(body)
    part = body[start:stop]
    place = f"bytes {start}-{start + len(part) - 1}/{len(body)}"
    handler.server.sent.append(len(part))
    handler.reply(part, 206, Content_Range=place)


def zipped(path, archive, prefix="", compression=zipfile.ZIP_STORED, zip64=False):
    with zipfile.ZipFile(archive, "w", compression) as file:
        for each in sorted(p for p in path.rglob("*") if p.is_file()):
            name = prefix + each.relative_to(path).as_posix()
            with file.open(name, "w", force_zip64=zip64) as entry:
                entry.write(each.read_bytes())
        file.writestr("rest", bytes(2**22))
    return archive


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("b.ozx", {}),
        ("b.ozx", {"prefix": "x/a.zarr/"}),
        ("b.ozx", {"compression": zipfile.ZIP_DEFLATED}),
        ("c.zarr.zip?download=1", {"zip64": True}),
    ],
)
def test_an_archive_far_away_is_read_in_parts(tmp_path, serve, zarr_format, name, keywords):
    write(tmp_path / "a.zarr", zarr_format, **({"shards": (32, 96)} if zarr_format == 3 else {}))
    zipped(tmp_path / "a.zarr", tmp_path / name.partition("?")[0], **keywords)

    def behave(handler, file):
        with_ranges(handler, file.parent / file.name.partition("?")[0])

    folder = serve(behave).rpartition("/")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OmeZarrWarning)
        (image,) = read_ome_zarr(f"{folder}/{name}")
    np.testing.assert_array_equal(pixels(image), PIXELS)
    assert as_level_source(image.levels[0]).storage.is_remote
    assert sum(serve.servers[-1].sent) < 2**20  # the archive has 4 MiB
    with pytest.raises(SourceError, match=r"no\.ozx: not zarr"):
        read_ome_zarr(f"{folder}/no.ozx")


def test_an_archive_of_a_server_without_ranges(tmp_path, serve):
    write(tmp_path / "a.zarr")
    zipped(tmp_path / "a.zarr", tmp_path / "b.ozx")
    (image,) = read_ome_zarr(serve(plain).replace("a.zarr", "b.ozx"))
    np.testing.assert_array_equal(pixels(image), PIXELS)


def test_a_broken_archive_far_away(tmp_path, serve):
    write(tmp_path / "a.zarr")
    archive = zipped(tmp_path / "a.zarr", tmp_path / "b.ozx")
    archive.write_bytes(archive.read_bytes()[:-500])
    with pytest.raises(SourceError, match=r"b\.ozx: a zip archive that cannot be read"):
        read_ome_zarr(serve(with_ranges).replace("a.zarr", "b.ozx"))


def without_head(handler, file):
    if handler.command == "HEAD":
        handler.reply(status=405)
    else:
        plain(handler, file)


@pytest.mark.parametrize("behave", [plain, without_head])
def test_nested_chunks_whose_document_does_not_say_so(tmp_path, serve, behave):
    write(tmp_path / "a.zarr", chunk_key_encoding={"name": "v2", "separator": "/"})
    document = tmp_path / "a.zarr/0/.zarray"
    text = document.read_text()
    document.write_text(text.replace('"dimension_separator": "/"', '"unknown": 0'))
    assert document.read_text() != text
    (image,) = read_ome_zarr(serve(behave))
    np.testing.assert_array_equal(pixels(image), PIXELS)


def signed(handler, _):
    """Only with the signature at the end of the address; chunks fail where a file says so."""
    address, _, query = handler.path.partition("?")
    file = handler.server.root / address.lstrip("/")
    if query != "sv=2024&sig=s3cr%2Ft":
        handler.reply(PAGE, 403)
    elif (handler.server.root / "chunks fail").exists() and "json" not in file.name:
        handler.reply(PAGE, 500)
    else:
        plain(handler, file)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_signature_goes_with_each_name(tmp_path, serve, zarr_format):
    write(tmp_path / "a.zarr", zarr_format)
    (image,) = read_ome_zarr(serve(signed) + "?sv=2024&sig=s3cr%2Ft")
    np.testing.assert_array_equal(pixels(image), PIXELS)
    assert "s3cr" not in f"{image!r} {image.name} {as_level_source(image.levels[0]).storage!r}"


def test_errors_hold_no_signature(tmp_path, serve):
    write(tmp_path / "a.zarr", 3)
    where = serve(signed)
    with pytest.raises(SourceError, match="403") as refused:
        read_ome_zarr(f"{where}?sv=2024&sig=s3crets")
    (image,) = read_ome_zarr(f"{where}?sv=2024&sig=s3cr%2Ft")
    (tmp_path / "chunks fail").touch()
    with pytest.raises(Exception, match="500") as failed:
        pixels(image)
    assert "s3cr" not in f"{refused.value!r} {failed.value!r}"


def test_connections_are_closed_with_their_file_system():
    file_system = BoundedHTTP(asynchronous=True, skip_instance_cache=True)
    session = sync(file_system.set_session())
    assert sync(file_system.set_session()) is session
    del file_system
    gc.collect()
    assert session.closed  # else aiohttp complains when the process ends
