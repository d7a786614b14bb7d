import re
import subprocess
import sys

import numpy as np
import pytest
import zarr
from PIL import Image as Picture

from napari_octree.plugin import command_line


@pytest.fixture
def message(capsys):
    return lambda: capsys.readouterr().err


def test_help_says_what_the_statuses_mean(capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for part in ("PATH_OR_URL", "--demo", "--screenshot", "exit status", "xvfb-run"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "one of the arguments PATH_OR_URL --demo is required"),
        (["a.zarr", "--demo", "mandelbrot"], "not allowed with"),
        (["--demo", "nothing"], "choose from"),
        (["a.zarr", "--ndisplay", "4"], "--ndisplay"),
        (["a.zarr", "--screenshot", "a.jpg"], "must end in .png"),
        (["a.zarr", "--screenshot", "/no/such/folder/a.png"], "folder does not exist"),
        (["a.zarr", "--timeout", "-3"], "not a number of seconds"),
    ],
)
def test_wrong_arguments_are_told(arguments, problem, message):
    with pytest.raises(SystemExit) as stop:
        command_line.main(arguments)
    assert stop.value.code == command_line.BAD_USAGE
    assert problem in message()


def test_without_a_display_there_is_a_message(monkeypatch, message):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert command_line.main(["--demo", "mandelbrot"]) == command_line.NO_DISPLAY
    assert "there is no display" in message()


def test_without_qt_there_is_a_message(monkeypatch, message):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(sys.modules, "qtpy.QtWidgets", None)
    assert command_line.main(["--demo", "mandelbrot"]) == command_line.NO_DISPLAY
    assert "napari-octree[pyqt6]" in message()


def test_bad_input_is_told_without_a_traceback(tmp_path, monkeypatch, message):
    monkeypatch.setenv("DISPLAY", ":0")
    assert command_line.main([str(tmp_path)]) == command_line.BAD_INPUT
    assert message() == f"napari-octree: {tmp_path}: not zarr: no array or group is there\n"
    (tmp_path / "c.json").write_text('{"octre": {}}')
    config = str(tmp_path / "c.json")
    assert command_line.main(["a.zarr", "--config", config]) == command_line.BAD_INPUT
    assert message() == f"napari-octree: {config}: unknown key 'octre'; did you mean 'octree'?\n"


# napari about PyQt5 and about Qt without settings of a user; numcodecs 0.16 about its own codec.
WARN_THEMSELVES = re.compile(r"PyQt5|Qt6 backend|XDG_RUNTIME_DIR|/numcodecs/|determine DPI")
"""What others say whoever draws; the last is vispy's, where there is no xdpyinfo."""


def test_a_picture_of_an_image_is_written(tmp_path, qapp_args):
    """As a user runs it: in a process of its own, with its own window."""
    pixels = np.zeros((64, 64), "uint8")
    pixels[:32, :32] = 255
    zarr.save_array(tmp_path / "image.zarr", pixels)
    command = [sys.executable, "-m", "napari_octree.plugin.command_line"]
    picture = tmp_path / "picture.png"
    arguments = [str(tmp_path / "image.zarr"), "--screenshot", str(picture)]
    result = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    warned = [
        line for line in result.stderr.splitlines() if re.search(r"Warning: |WARNING: ", line)
    ]
    assert [line for line in warned if not WARN_THEMSELVES.search(line)] == []
    shown = np.asarray(Picture.open(picture).convert("L"))
    height, width = shown.shape
    assert width > 400
    assert shown[height // 2 - 100, width // 2 - 100] == 255
    assert shown[height // 2 + 100, width // 2 - 100] == 0
    assert shown[height // 2 - 100, width // 2 + 100] == 0
