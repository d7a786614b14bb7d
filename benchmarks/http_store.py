"""A server of files with a latency: ``python http_store.py FOLDER MS [BYTES_PER_S [FAILING]]``.

Prints its port. A process of its own; HTTP/1.1 with kept connections; an answer costs it a tenth
of a millisecond of the processor, so that it is the latency that is measured. With a rate, all
answers share one line of so many bytes a second (0: no limit). Of the share FAILING of the chunks,
by their names, the first two requests are refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


class Line:
    """What all connections share: the folder, the latency, the rate, and counts."""

    root = Path()
    latency_s = 0.0
    bytes_per_s = 0.0
    failing = 0.0
    refused: ClassVar[dict[str, int]] = {}
    free_at = 0.0
    count = 0
    chunks = 0
    chunk_bytes = 0

    @classmethod
    def until_sent(cls, nbytes: int, now: float) -> float:
        """Seconds until so many bytes have gone over the line, after what is before them."""
        if not cls.bytes_per_s:
            return 0.0
        cls.free_at = max(cls.free_at, now) + nbytes / cls.bytes_per_s
        return cls.free_at - now

    @classmethod
    def refuses(cls, path: str) -> bool:
        """Whether this request is one of those that fail."""
        if zlib.crc32(path.encode()) % 1000 >= 1000 * cls.failing:
            return False
        times = cls.refused[path] = cls.refused.get(path, 0) + 1
        return times <= 2


class Connection(asyncio.Protocol):
    """One connection: answers GET and HEAD in order, each after the latency."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Bytes of requests have come."""
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(Line.latency_s, self.answer, head)

    def answer(self, head: bytes) -> None:
        """Answer one request; `/count` and `/reads` say what was answered so far."""
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        Line.count += 1
        if path.startswith("/run"):  # the same folder under other names, known to no cache
            path = "/" + path.split("/", 2)[2]
        if path == "/count":
            return self.send(f"{Line.count}".encode())
        if path == "/reads":
            return self.send(json.dumps([Line.chunks, Line.chunk_bytes]).encode())
        file = Line.root / unquote(path).lstrip("/")
        try:
            body = file.read_bytes()
        except OSError:
            return self.send(b"", status="404 Not Found")
        if method == "HEAD":
            return self.send(body, with_body=False)
        if file.name not in METADATA:
            if Line.refuses(path):
                return self.send(b"", status="503 Service Unavailable")
            Line.chunks += 1
            Line.chunk_bytes += len(body)
        loop = asyncio.get_running_loop()
        wait = Line.until_sent(len(body), loop.time())
        return loop.call_later(wait, self.send, body) if wait else self.send(body)

    def send(self, body: bytes, status: str = "200 OK", with_body: bool = True) -> None:
        """Write an answer, unless the client has gone."""
        if not self.transport.is_closing():
            answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            self.transport.write(answer + (body if with_body else b""))


async def serve(
    folder: str, milliseconds: str, bytes_per_s: str = "0", failing: str = "0"
) -> None:
    """Serve until the process is ended."""
    Line.root, Line.latency_s = Path(folder), float(milliseconds) / 1000
    Line.bytes_per_s, Line.failing = float(bytes_per_s), float(failing)
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
