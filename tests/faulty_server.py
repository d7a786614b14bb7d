"""A real local HTTP server that misbehaves in every way; nothing sleeps here but the server."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FaultyServer:
    """Serves a folder; `faults[path]` is a list of what happens to the next requests for it.

    A status code, "truncate", "hang", or "forever 403". Each answer takes `latency_s`.
    """

    def __init__(self, root: Path, latency_s: float = 0.02):
        self.root = root
        self.latency_s = latency_s
        self.faults = {}
        self.requests = []
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.port = 0
        self.start()

    def start(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_HEAD(self):
                self.answer(with_body=False)

            def do_GET(self):
                self.answer(with_body=True)

            def answer(self, with_body):
                path = self.path.lstrip("/")
                with server.lock:
                    server.requests.append(path)
                    faults = server.faults.get(path, [])
                    fault = faults.pop(0) if faults else None
                    if fault == "forever 403":
                        faults.append(fault)
                server.arrived.release()
                time.sleep(server.latency_s)
                file = server.root / path
                if fault == "hang":
                    server.released.wait(30)
                    self.close_connection = True
                    return
                if fault == "forever 403":
                    fault = 403
                if fault is None and not file.is_file():
                    fault = 404
                if isinstance(fault, int):
                    self.send_response(fault)
                    if fault == 429:
                        self.send_header("Retry-After", "0")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = file.read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if with_body:
                    self.wfile.write(body[: len(body) // 2] if fault == "truncate" else body)
                if fault == "truncate":
                    self.close_connection = True

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128  # else connections that come together wait a second and more

            def handle_error(self, *args):
                """The client has given up: nothing to say."""

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"
