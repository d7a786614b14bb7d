"""A server of files with a latency, as a process of its own: `python http_store.py FOLDER MS`.

Prints its port. HTTP/1.1 with kept connections; an answer costs it a tenth of a millisecond of the
processor, so that it is the latency that is measured.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import unquote


class Connection(asyncio.Protocol):
    """One connection: answers GET and HEAD in order, each after the latency."""

    root = Path()
    latency_s = 0.0
    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Bytes of requests have come."""
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self.latency_s, self.answer, head)

    def answer(self, head: bytes) -> None:
        """Answer one request; `/count` says how many there were."""
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        Connection.count += 1
        if path.startswith("/run"):  # the same folder under other names, known to no cache
            path = "/" + path.split("/", 2)[2]
        if path == "/count":
            body, status = f"{Connection.count}".encode(), "200 OK"
        else:
            try:
                body, status = (self.root / unquote(path).lstrip("/")).read_bytes(), "200 OK"
            except OSError:
                body, status = b"", "404 Not Found"
        if self.transport.is_closing():
            return
        answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.transport.write(answer + (b"" if method == "HEAD" else body))


async def serve(folder: str, milliseconds: str) -> None:
    """Serve until the process is ended."""
    Connection.root, Connection.latency_s = Path(folder), float(milliseconds) / 1000
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
