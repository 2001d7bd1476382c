"""A server that answers each path as a test says, and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


class Scripted:
    """Paths to answers; `asked` has path and headers of each request."""

    def __init__(self, answers: Mapping[str, Answer], url: str) -> None:
        self.answers, self.url = dict(answers), url
        self.asked: list[tuple[str, dict[str, str]]] = []


@contextmanager
def scripted(answers: Mapping[str, Answer], host: str = "127.0.0.1") -> Iterator[Scripted]:
    """Serve these answers on this machine."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - of the base
            """Nothing is printed."""

        def do_GET(self) -> None:
            script.asked.append((self.path, dict(self.headers)))
            script.answers[self.path.partition("?")[0]](self)

    with ThreadingHTTPServer((host, 0), Handler) as server:
        server.daemon_threads = True
        script = Scripted(answers, f"http://{host}:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield script
        finally:
            server.shutdown()


def says(body: bytes, status: int = 200, **headers: str) -> Answer:
    """An answer with a body of the length that it announces."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def cut(body: bytes, **headers: str) -> Answer:
    """A body that ends before the length that is announced."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        says(body, **{"Content-Length": str(len(body) + 10), **headers})(handler)
        handler.close_connection = True

    return answer


def chunked(*chunks: bytes, whole: bool) -> Answer:
    """A body in chunks, with or without its last."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if whole:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = not whole

    return answer
