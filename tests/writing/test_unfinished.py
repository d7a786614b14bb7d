"""What is written appears when it is whole; what was there stays until then."""

import os

import pytest

from napari_octree.writing.errors import WritingError
from napari_octree.writing.unfinished import unfinished


def write(part, text, folder):
    if folder:
        part.mkdir()
        part = part / "inside"
    part.write_text(text)


def read(path):
    return (path / "inside" if path.is_dir() else path).read_text()


def fail(path, folder, error):
    with unfinished(path) as part:
        write(part, "half", folder)
        raise error


@pytest.mark.parametrize("folder", [False, True])
def test_it_appears_in_the_end_and_takes_the_place_of_what_was_there(tmp_path, folder):
    path = tmp_path / "größe.zarr"
    for text in ("one", "two"):
        with unfinished(path) as part:
            write(part, text, folder)
            assert (read(path) if path.exists() else None) == (None if text == "one" else "one")
        assert read(path) == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
def test_a_failure_leaves_what_was_there(tmp_path, folder, error):
    path = tmp_path / "a"
    with unfinished(path) as part:
        write(part, "former", folder)
    with pytest.raises(error):
        fail(path, folder, error)
    assert read(path) == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_disk_says_is_told_with_the_final_name(tmp_path):
    with (
        pytest.raises(WritingError, match=r"/a\.zarr: cannot be written: No space"),
        unfinished(tmp_path / "a.zarr"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(WritingError, match="No such file"), unfinished(tmp_path / "b"):
        pass  # nothing was written
    assert not list(tmp_path.iterdir())


def test_two_do_not_write_to_one_path(tmp_path):
    os.symlink(tmp_path / "a", tmp_path / "link")
    with unfinished(tmp_path / "a") as part:
        with pytest.raises(WritingError, match="written already"), unfinished(tmp_path / "link"):
            pass
        part.write_text("one")
    assert (tmp_path / "a").read_text() == "one"
    with unfinished(tmp_path / "link") as part:
        part.write_text("two")
    assert (tmp_path / "a").read_text() == "two"
    assert (tmp_path / "link").is_symlink()


def test_a_folder_that_cannot_be_replaced_comes_back(tmp_path, monkeypatch):
    path = tmp_path / "a"
    with unfinished(path) as part:
        write(part, "former", True)
    rename = type(path).rename

    def once(self, target):
        if self.name.endswith(".part"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(type(path), "rename", once)
    with pytest.raises(WritingError, match="Permission denied"), unfinished(path) as part:
        write(part, "new", True)
    assert read(path) == "former"
    assert list(tmp_path.iterdir()) == [path]
