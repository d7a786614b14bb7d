"""Addresses: what is local, and what of one may be seen."""

from pathlib import Path

import pytest

from napari_octree.sources.stores.address import (
    as_address,
    as_typed,
    local_path,
    secrets_in,
    shown,
    without_secrets,
)


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("/data/a b.zarr", "/data/a b.zarr"),
        ("file:///data/a%20b%C3%A9.zarr", "/data/a bé.zarr"),
        ("file://localhost/data/a.zarr", "/data/a.zarr"),
        ("FILE:///data/100%25.zarr", "/data/100%.zarr"),
        ("/data/100%25.zarr", "/data/100%25.zarr"),
        ("~/a.zarr", str(Path.home() / "a.zarr")),
    ],
)
def test_local_paths(where, path):
    assert str(local_path(where)) == path


@pytest.mark.parametrize(
    "where", ["http://a/b.zarr", "s3://b/c", "zip::http://a/b.zip", "file://host/share/a.zarr"]
)
def test_addresses_on_a_network_are_no_paths(where):
    assert local_path(where) is None


@pytest.mark.parametrize(
    ("where", "seen"),
    [
        ("https://me:pass@h.org/a.zarr", "https://h.org/a.zarr"),
        ("https://h.org/a.zarr?sig=abc&version=2", "https://h.org/a.zarr?version=2"),
        ("https://h/a?X-Amz-Signature=1&X-Amz-Credential=k", "https://h/a"),
        ("https://h/a?token=t&api_key=k&Signature=s", "https://h/a"),
        ("s3://bucket/key with blank", "s3://bucket/key with blank"),
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("/local/me:pass@x", None),
    ],
)
def test_what_is_shown_holds_no_secret(where, seen):
    assert shown(where) == (where if seen is None else seen)


def test_an_address_has_no_blanks_and_is_encoded_once():
    assert as_address("http://u:p@h/a b%20é.zarr") == "http://h/a%20b%20%C3%A9.zarr"


def test_secrets_are_taken_out_of_messages():
    options = {"key": "AKIDEXAMPLE", "secret": "s3cr3t", "endpoint_url": "http://h",
               "client_kwargs": {"headers": {"Authorization": "Bearer abcdef"}}}  # fmt: skip
    known = secrets_in("https://me:p%40ss@h/a?sig=xyz123", options)
    text = "GET https://me:p%40ss@h/a?sig=xyz123 p@ss AKIDEXAMPLE s3cr3t Bearer abcdef http://h"
    left = without_secrets(text, known)
    for secret in ("p%40ss", "p@ss", "xyz123", "AKIDEXAMPLE", "s3cr3t", "abcdef"):
        assert secret not in left
    assert "http://h" in left


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://host//a//b.zarr//", "https://host/a/b.zarr/"),
        ("https://host/b.zarr/.zattrs", "https://host/b.zarr"),
        ("https://host/b.zarr/0/zarr.json", "https://host/b.zarr/0"),
        (' "https://host/b.zarr" ', "https://host/b.zarr"),
        ("https://host/b.zarr?url=https://a//c", "https://host/b.zarr?url=https://a//c"),
        ("s3://bucket//key", "s3://bucket//key"),
    ],
)
def test_addresses_as_they_are_pasted(given, meant):
    assert as_typed(given) == meant
