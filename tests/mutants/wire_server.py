"""An application on a socket, served by the standard library, which adds and hides nothing."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator


class _Handler(BaseHTTPRequestHandler):
    app: Any
    # What is answered is shown in the documents, which are the same on every day and Python.
    server_version, sys_version = "Platform/1.0", ""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(0 if timestamp is None else timestamp)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # A client may hang up.
            self.close_connection = True

    def send_error(self, *said: Any, **more: Any) -> None:
        # Some releases of Python answer what is no request without a status line.
        self.request_version = self.protocol_version
        super().send_error(*said, **more)

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        leaves = getattr(self.app, "leaves", None)
        is_left = leaves and leaves(self.command, self.path, self.headers)
        body = b"" if is_left else self.body()
        scope = {
            "type": "http",
            "method": self.command,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in self.headers.items()
            ],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        answering = self.app(scope, receive, send)
        asyncio.run(self.unless_left(answering) if hasattr(self.app, "cancels") else answering)
        if not sent:
            self.close_connection = True
            return
        content = b"".join(one.get("body", b"") for one in sent)
        if hints := getattr(self.app, "before", None):
            self.send_response_only(hints)
            self.end_headers()
        self.send_response(sent[0]["status"])
        self.send_header("content-type", "application/json")
        if sent[0]["status"] != 204:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    async def unless_left(self, answering: Coroutine[Any, Any, None]) -> None:
        """Await it, and cancel it when the client leaves, who has nothing more to say."""
        task = asyncio.ensure_future(answering)
        asyncio.get_running_loop().add_reader(self.connection, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    def body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        """Nothing: what it is asked is in the history."""


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve the application on a free port of 127.0.0.1, one request after the other."""
    version = "HTTP/1.1" if getattr(app, "keeps", False) else "HTTP/1.0"
    handler = type("Handler", (_Handler,), {"app": staticmethod(app), "protocol_version": version})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket.listen(128)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
