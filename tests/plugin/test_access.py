"""Stores that want to know who asks: one is asked, and what one says is kept nowhere."""

import base64
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from qtpy.QtWidgets import QLineEdit, QMainWindow

from napari_octree import open_ome_zarr
from napari_octree.plugin import remembered
from napari_octree.plugin.commands import commands
from napari_octree.plugin.opening import access
from napari_octree.plugin.reader import read_layers
from napari_octree.qt import address_dialog, credentials_dialog
from napari_octree.sources import SourceError, as_level_source
from napari_octree.sources.errors import AccessRefusedError

RIGHT = "Basic " + base64.b64encode(b"anna:very secret").decode()


class Handler(SimpleHTTPRequestHandler):
    """Serves to Anna only."""

    folder = ""

    def __init__(self, *args):
        super().__init__(*args, directory=self.folder)

    def do_GET(self):
        if self.headers.get("Authorization") == RIGHT:
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path, monkeypatch):
    zarr.save_array(tmp_path / "served" / "a.zarr", np.ones((8, 8), "u1"))
    monkeypatch.setattr(Handler, "folder", str(tmp_path / "served"))
    monkeypatch.setattr(remembered, "_path", lambda: tmp_path / "remembered.json")
    monkeypatch.setattr(access, "_SESSION", {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/a.zarr"
    server.shutdown()
    server.server_close()


@pytest.fixture
def window(qtbot):
    shown = QMainWindow()
    qtbot.addWidget(shown)
    shown.show()
    return shown


@pytest.fixture
def asked(monkeypatch):
    """Answers of the dialog, in order; and what was asked."""
    answers, seen = [], []

    def ask(parent, where, questions):
        seen.append((where, [question.name for question in questions]))
        return answers.pop(0)

    monkeypatch.setattr(credentials_dialog, "ask_credentials", ask)
    return answers, seen


def test_who_asks_is_asked_for(address, window, asked, tmp_path):
    answers, seen = asked
    wrong = {"user": "anna", "password": "wrong"}
    answers += [(wrong, False), ({"user": "anna", "password": "very secret"}, False)]
    (layer,) = read_layers(address)
    assert as_level_source(layer.data[0]).storage.read(((0, 8), (0, 8))).all()
    assert seen == [(address, ["user", "password", "bearer"])] * 2
    for text in (
        repr(as_level_source(layer.data[0]).storage.key),
        layer.name,
        repr(layer.metadata),
    ):
        assert "secret" not in text
    assert not (tmp_path / "remembered.json").exists()
    answers.append(None)  # it was kept for this image only
    with pytest.raises(AccessRefusedError, match=r"a\.zarr: .*access is refused"):
        read_layers(address)


def test_it_may_be_kept_for_the_session(address, window, asked):
    answers, seen = asked
    answers.append(({"user": "anna", "password": "very secret"}, True))
    for _ in range(2):
        assert len(read_layers(address)) == 1
    assert len(seen) == 1


def test_without_a_window_nobody_is_asked(address, asked):
    with pytest.raises(SourceError, match="access is refused"):
        read_layers(address)
    with pytest.raises(SourceError, match="access is refused"):
        open_ome_zarr(address)
    assert asked[1] == []


def test_a_password_in_an_address_is_not_remembered(address, window, monkeypatch, tmp_path):
    with_password = address.replace("http://", "http://anna:very%20secret@")
    monkeypatch.setattr(address_dialog, "ask_address", lambda *_: with_password)
    model = ViewerModel()
    commands.open_address(model)
    assert model.layers[0].source.path == address
    assert remembered.recall(commands.ADDRESSES, []) == [address]
    assert "secret" not in (tmp_path / "remembered.json").read_text()


def test_secrets_are_dots_in_the_dialog(qtbot):
    for kind, fields in access.FIELDS.items():
        questions = [credentials_dialog.Question(*field) for field in fields]
        dialog = credentials_dialog.CredentialsDialog(None, f"{kind}://a/b", questions)
        qtbot.addWidget(dialog)
        for question in questions:
            field = dialog.fields[question.name]
            assert (field.echoMode() == QLineEdit.EchoMode.Password) is question.is_secret
        field.setText("x")
        assert dialog.answers == {questions[-1].name: "x"}
        assert not dialog.keep.isChecked()


def test_answers_become_options():
    options = access.storage_options("http", {"user": "anna", "password": "very secret"})
    assert options == {"headers": {"Authorization": RIGHT}}
    options = access.storage_options("http", {"bearer": "x"})
    assert options == {"headers": {"Authorization": "Bearer x"}}
    assert access.storage_options("s3", {"key": "a", "secret": "b"}) == {"key": "a", "secret": "b"}
