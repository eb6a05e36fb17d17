"""HTTP/1.1 with keep-alive: what goes on the wire."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import tempfile
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from drive_emulator.answers import Answer, as_json
from drive_emulator.calls import Calls, name_call
from drive_emulator.control import Control
from drive_emulator.exchange import Dropped, Exchange
from drive_emulator.faults import Faults
from drive_emulator.link import Link
from drive_emulator.log import Log
from drive_emulator.storage import Storage
from drive_emulator.tls import make_certificate, server_side

_BROKEN = (Dropped, ConnectionError, ssl.SSLError)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.storage = Storage()
        self.calls = Calls(self.storage, Faults())
        self.log = Log()
        self.up, self.down = Link(), Link()
        self.control = Control(self.calls, self.log, (self.up, self.down))
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/"
        self._folder = tempfile.TemporaryDirectory(prefix="drive-emulator-ca-")
        self.ca = make_certificate(Path(self._folder.name))
        self.tls = server_side(self.ca)

    def server_close(self) -> None:
        super().server_close()
        self._folder.cleanup()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            super().handle_one_request()

    def do_CONNECT(self) -> None:
        """As an HTTPS proxy: whatever host was asked for is this one."""
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.request = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.setup()

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    @property
    def base_url(self) -> str:
        """How the client got here."""
        secure = isinstance(self.connection, ssl.SSLSocket)
        return f"https://{self.headers['Host']}/" if secure else self.server.base_url

    def do_GET(self) -> None:
        exchange = Exchange(self.command, self.path, self.headers, self.rfile, self.base_url, self.server.up)
        if exchange.path.startswith("/_control/"):
            self._send(self.server.control.answer(exchange))
            return
        op = name_call(exchange) or "unknown"
        try:
            answer = (
                as_json({"error": "no such call"}, 404) if op == "unknown" else self.server.calls.answer(op, exchange)
            )
        except _BROKEN:
            self.server.log.add(op, 0, exchange.body.taken, 0, exchange.lost)
            self._drop()
            return
        # Counted before it is sent: a client that has its answer finds it in the numbers.
        self.server.log.add(op, answer.status, exchange.body.taken, answer.sent_bytes, exchange.lost)
        try:
            self._send(answer)
        except _BROKEN:
            self._drop()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # names that the base class looks for

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", format_datetime(self.server.storage.now(), usegmt=True))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.length))
        self.end_headers()
        sent = 0
        for block in answer.blocks():
            part = block if answer.cut_after is None else block[: answer.cut_after - sent]
            self.server.down.carry(len(part))
            self.wfile.write(part)
            sent += len(part)
            if answer.cut_after is not None and sent >= answer.cut_after:
                raise Dropped

    def _drop(self) -> None:
        """Reset, not a polite close: the other side sees ECONNRESET."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Quiet: the log is in numbers."""
