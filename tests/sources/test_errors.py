"""What is told of a failed request: a few plain words, not a library's debug text."""

import http.server
import threading

import obstore
import pytest
from obstore.store import HTTPStore

from napari_octree.loading.failure import LoadFailure
from napari_octree.sources.errors import MOST_TOLD, message_of, plain_words, told


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names; 200 with less than it promises."""

    def do_GET(self):
        status = int(self.path[1:])
        self.send_response(status)
        body = b"<html>a page</html>"
        self.send_header("Content-Length", str(len(body) + 100 * (status == 200)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def error_of(address, path):
    options = {"allow_http": True}
    store = HTTPStore.from_url(address, client_options=options, retry_config={"max_retries": 0})
    with pytest.raises(Exception) as raised:  # noqa: PT011
        obstore.get(store, path).bytes()
    return raised.value


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("404", "the server answers 404 Not Found"),
        ("403", "the server answers 403 Forbidden"),
        ("503", "the server answers 503 Service Unavailable"),
        ("200", "the connection broke off"),
    ],
)
def test_what_a_server_answers(address, path, words):
    assert plain_words(error_of(f"http://{address}", path)) == words


def test_servers_that_do_not_answer(address):
    assert told(error_of("http://127.0.0.1:9", "x")) == "connection refused"
    assert told(error_of("https://host.invalid", "x")) == "there is no server of that name"
    assert told(error_of(f"https://{address}", "x")) == "the server does not answer with https"


def test_other_errors_say_what_they_are():
    assert told(ValueError("bad")) == "ValueError: bad"
    assert len(message_of(ValueError("x" * 5000))) == MOST_TOLD
    unknown = OSError(
        "Generic S3 error: Error performing GET u in 1s, after 1 - new\n\nDebug source:\nX"
    )
    assert told(unknown) == "OSError: new"


def test_failures_of_reads_are_told_alike():
    refused = error_of("http://127.0.0.1:9", "x")
    failure = LoadFailure.of("a/b", type(refused).__name__, refused)
    assert str(failure) == "Chunks could not be read: connection refused (a/b)"
    assert LoadFailure.of("a", "HTTP 503", refused).problem == "HTTP 503"
    assert LoadFailure.of("a", "OSError", OSError("x")).problem == "OSError: x"
