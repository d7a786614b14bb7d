"""Images of far stores: HTTP that misbehaves, S3 by a local server."""

from __future__ import annotations

import base64
import logging
from urllib.parse import quote

import fsspec
import numpy as np
import pytest
import zarr

from faulty_server import FaultyServer
from napari_octree.loading.retry import judge
from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.stores.zarr_metadata.documents import NOBODY_HAS

PIXELS = np.random.default_rng(0).integers(1, 255, (64, 96)).astype("u1")


def write_image(path, zarr_format=2):
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    datasets = []
    for level in (0, 1):
        data = np.ascontiguousarray(PIXELS[:: 2**level, :: 2**level])
        group.create_array(f"{level}", data=data, chunks=(32, 32))
        scale = {"type": "scale", "scale": [2.0**level] * 2}
        datasets.append({"path": f"{level}", "coordinateTransformations": [scale]})
    axes = [{"name": name, "type": "space"} for name in "yx"]
    image = {"version": "0.4", "axes": axes, "datasets": datasets}
    ome = {"version": "0.5", "multiscales": [image]}
    group.attrs.update({"multiscales": [image]} if zarr_format == 2 else {"ome": ome})
    return path


@pytest.fixture
def server(tmp_path):
    server = FaultyServer(tmp_path, latency_s=0)
    yield server
    server.stop()


def storage(image, level=0):
    return as_level_source(image.levels[level]).storage


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_image_over_http(tmp_path, server, zarr_format):
    write_image(tmp_path / "a.zarr", zarr_format)
    (image,) = read_ome_zarr(f"{server.url}/a.zarr")
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)
    assert not any(name.endswith("/") for name in server.requests)  # nothing is listed


def test_opening_costs_few_requests(tmp_path, server):
    write_image(tmp_path / "a.zarr", 3)
    read_ome_zarr(f"{server.url}/a.zarr")
    assert len(server.requests) <= 9  # five at the root, one a level, labels


def test_an_image_opened_twice_is_the_same_one(tmp_path, server):
    write_image(tmp_path / "a.zarr")
    first, second = (storage(read_ome_zarr(f"{server.url}/a.zarr")[0]) for _ in range(2))
    assert first.key == second.key
    assert first.is_remote
    assert first.source_name == f"{server.url}/a.zarr/0"


def test_an_absent_chunk_is_fill_and_a_refused_one_fails(tmp_path, server):
    write_image(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/0/0.0").unlink()
    server.faults["a.zarr/0/0.1"] = ["forever 403"]
    server.faults["a.zarr/0/0.2"] = [503] * 9
    array = storage(read_ome_zarr(f"{server.url}/a.zarr")[0])
    assert array.read(((0, 32), (0, 32))) is None
    with pytest.raises(Exception, match="403") as refused:
        array.read(((0, 32), (32, 64)))
    assert judge(refused.value).attempts == 1
    with pytest.raises(Exception, match="503") as busy:
        array.read(((0, 32), (64, 96)))
    assert judge(busy.value).transient


def test_metadata_that_is_refused_is_absent_if_other_metadata_is_there(tmp_path, server):
    write_image(tmp_path / "a.zarr")
    absent = ["zarr.json", ".zarray", ".zmetadata", "0/zarr.json", "labels/.zarray"]
    absent += ["labels/.zgroup", "labels/.zattrs"]
    absent += [f"{level}/{name}" for level in (0, 1) for name in (".zattrs", ".zgroup")]
    for name in absent:
        server.faults[f"a.zarr/{name}"] = ["forever 403"]
    for folder in ("", "0/", "1/", "labels/"):
        server.faults[f"a.zarr/{folder}{NOBODY_HAS}"] = ["forever 403"]
    (image,) = read_ome_zarr(f"{server.url}/a.zarr")
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)


def test_what_is_refused_and_what_is_not_there_are_told_apart(tmp_path, server):
    for name in ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"):
        server.faults[f"closed.zarr/{name}"] = ["forever 403"]
        server.faults[f"busy.zarr/{name}"] = [503] * 9
    with pytest.raises(SourceError, match=r"closed\.zarr: .*refused"):
        read_ome_zarr(f"{server.url}/closed.zarr")
    with pytest.raises(SourceError, match=r"absent\.zarr: not zarr"):
        read_ome_zarr(f"{server.url}/absent.zarr")
    with pytest.raises(SourceError, match=r"busy\.zarr: .*503"):
        read_ome_zarr(f"{server.url}/busy.zarr")


def test_a_server_that_refuses_everything_is_said_to_refuse(server):
    for name in ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata", NOBODY_HAS):
        server.faults[f"a.zarr/{name}"] = ["forever 403"]
    with pytest.raises(SourceError, match=r"a\.zarr: .*access is refused"):
        read_ome_zarr(f"{server.url}/a.zarr")


def test_blanks_and_letters_in_addresses(tmp_path, server):
    write_image(tmp_path / "mäin zarr")
    (tmp_path / quote("mäin zarr")).symlink_to(tmp_path / "mäin zarr")  # it does not decode
    for address in (f"{server.url}/mäin zarr", f"{server.url}/{quote('mäin zarr')}"):
        (image,) = read_ome_zarr(address)
        assert image.name == "mäin zarr"
        assert storage(image).source_name == f"{server.url}/{quote('mäin zarr')}/0"
    (image,) = read_ome_zarr((tmp_path / "mäin zarr").as_uri())
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)


def test_passwords_reach_the_server_and_nobody_else(tmp_path, server, caplog, recwarn):
    write_image(tmp_path / "a.zarr")
    server.faults["a.zarr/0/0.1"] = ["forever 403"]
    address = f"{server.url}/a.zarr".replace("//", "//me:s3cr3t@")
    headers = []
    handler = server.server.RequestHandlerClass
    answer = handler.answer
    handler.answer = lambda self, with_body: (
        headers.append(self.headers),
        answer(self, with_body),
    )
    with caplog.at_level(logging.DEBUG, "napari_octree"):
        (image,) = read_ome_zarr(address)
        array = storage(image)
        with pytest.raises(Exception, match="403") as refused:
            array.read(((0, 32), (32, 64)))
    expected = "Basic " + base64.b64encode(b"me:s3cr3t").decode()
    assert {h["Authorization"] for h in headers} == {expected}
    seen = [repr(array), repr(array.key), array.source_name, image.name, image.where]
    seen += [caplog.text, str(refused.value), repr(image.levels[0])]
    seen += [str(w.message) for w in recwarn]
    assert not any("s3cr3t" in text or expected in text for text in seen)
    for name in ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"):
        server.faults[f"a.zarr/{name}"] = [403]
    with pytest.raises(SourceError) as closed:
        read_ome_zarr(address)
    assert "s3cr3t" not in str(closed.value)


def test_headers_are_passed_on(tmp_path, server):
    write_image(tmp_path / "a.zarr")
    seen = []
    handler = server.server.RequestHandlerClass
    answer = handler.answer
    handler.answer = lambda self, with_body: (
        seen.append(self.headers["X-Key"]),
        answer(self, with_body),
    )
    read_ome_zarr(f"{server.url}/a.zarr", headers={"X-Key": "k"})
    assert set(seen) == {"k"}


def test_what_is_left_to_fsspec(tmp_path, server):
    write_image(tmp_path / "a.zarr")
    (image,) = read_ome_zarr(f"{server.url}/a.zarr", block_size=2**16)
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)
    assert storage(image).is_remote


@pytest.fixture(scope="module")
def s3():
    """A local S3 server with one private and one public bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id="AKIDTEST", aws_secret_access_key="verysecret",
    )  # fmt: skip
    yield client, f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3, tmp_path, monkeypatch):
    client, endpoint = s3
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client.create_bucket(Bucket="images")
    root = write_image(tmp_path / "a.zarr", 3)
    for file in root.rglob("*"):
        if file.is_file():
            key = f"some folder/a.zarr/{file.relative_to(root)}"
            client.put_object(Bucket="images", Key=key, Body=file.read_bytes(), ACL="public-read")
    return "s3://images/some folder/a.zarr", endpoint


@pytest.mark.parametrize(
    "who",
    [
        {"anon": True},
        {"key": "AKIDTEST", "secret": "verysecret"},
        {"key": "AKIDTEST", "secret": "verysecret", "use_ssl": False},  # left to s3fs
        {},  # nothing is known: anonymous
    ],
    ids=["anonymous", "keys", "fsspec", "nothing"],
)
def test_an_image_on_s3(bucket, who):
    address, endpoint = bucket
    (image,) = read_ome_zarr(address, endpoint_url=endpoint, **who)
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)
    array = storage(image)
    assert array.is_remote
    assert "verysecret" not in f"{array!r} {array.key} {array.source_name} {image.levels[0]!r}"


def test_profiles_of_aws(bucket, tmp_path, monkeypatch):
    address, endpoint = bucket
    folder = tmp_path / "home/.aws"
    folder.mkdir(parents=True)
    (folder / "credentials").write_text(
        "[lab]\naws_access_key_id = AKIDTEST\naws_secret_access_key = verysecret\n"
    )
    (folder / "config").write_text(f"[profile lab]\nendpoint_url = {endpoint}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    (image,) = read_ome_zarr(address, profile="lab")
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)
    monkeypatch.setenv("AWS_PROFILE", "lab")
    (image,) = read_ome_zarr(address)
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)


def test_an_endpoint_of_the_environment(bucket, monkeypatch):
    address, endpoint = bucket
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    (image,) = read_ome_zarr(address, anon=True)
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)


def test_what_is_not_on_s3_is_said(bucket):
    _, endpoint = bucket
    with pytest.raises(SourceError, match="images/nothing: not zarr"):
        read_ome_zarr("s3://images/nothing", endpoint_url=endpoint, anon=True)


@pytest.mark.parametrize("as_store", [True, False])
def test_groups_and_stores_as_objects(as_store):
    store = zarr.storage.MemoryStore()
    group = zarr.open_group(store, mode="w")
    group.create_array("0", data=PIXELS, chunks=(32, 32))
    group.create_array("1", data=np.ascontiguousarray(PIXELS[::2, ::2]), chunks=(32, 32))
    (image,) = read_ome_zarr(store if as_store else group)
    np.testing.assert_array_equal(image.levels[0][...], PIXELS)


def test_other_objects_that_hold_zarr(tmp_path):
    folder = write_image(tmp_path / "a.zarr")
    references = {}
    for file in folder.rglob("*"):
        if file.is_file():  # as kerchunk writes them
            name = file.relative_to(folder).as_posix()
            references[name] = file.read_text() if file.name[:2] == ".z" else [str(file)]
    reference = fsspec.filesystem("reference", fo=references, asynchronous=True)
    memory = {}
    write_image(zarr.storage.MemoryStore(memory), 3)
    for given in (
        zarr.storage.FsspecStore(reference, read_only=True),
        zarr.storage.StorePath(zarr.storage.LocalStore(tmp_path), "a.zarr"),
        fsspec.get_mapper(str(folder)),
        memory,
        zarr.AsyncGroup.from_dict(
            zarr.storage.StorePath(zarr.storage.LocalStore(folder)),
            {"zarr_format": 2, "attributes": dict(zarr.open_group(folder).attrs)},
        ),
    ):
        (image,) = read_ome_zarr(given)
        np.testing.assert_array_equal(image.levels[0][...], PIXELS)
        assert storage(image).read(((32, 64), (64, 96))).tolist() == PIXELS[32:, 64:].tolist()
    for nonsense in (None, 5, object()):
        with pytest.raises(SourceError, match="neither a path"):
            read_ome_zarr(nonsense)
