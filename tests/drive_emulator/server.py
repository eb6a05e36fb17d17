"""HTTP/1.1 with keep-alive: what goes on the wire."""

from __future__ import annotations

import contextlib
import socket
import struct
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from drive_emulator.answers import Answer, as_json
from drive_emulator.calls import Calls, name_call
from drive_emulator.control import Control
from drive_emulator.exchange import Dropped, Exchange
from drive_emulator.faults import Faults
from drive_emulator.log import Log
from drive_emulator.storage import Storage


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.storage = Storage()
        self.calls = Calls(self.storage, Faults())
        self.log = Log()
        self.control = Control(self.calls, self.log)
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_GET(self) -> None:
        exchange = Exchange(self.command, self.path, self.headers, self.rfile, self.server.base_url)
        if exchange.path.startswith("/_control/"):
            self._send(self.server.control.answer(exchange))
            return
        op = name_call(exchange) or "unknown"
        try:
            answer = (
                as_json({"error": "no such call"}, 404) if op == "unknown" else self.server.calls.answer(op, exchange)
            )
        except (Dropped, ConnectionError):
            self.server.log.add(op, 0, exchange.body.taken, 0)
            self._drop()
            return
        # Counted before it is sent: a client that has its answer finds it in the numbers.
        self.server.log.add(op, answer.status, exchange.body.taken, answer.sent_bytes)
        try:
            self._send(answer)
        except (Dropped, ConnectionError):
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
