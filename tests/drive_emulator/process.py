"""How a test starts the emulator, and talks to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from drive_emulator.accounts import FILE

TESTS = Path(__file__).resolve().parent.parent


class Emulator:
    """`url` is what BATONPASS_DRIVE_ENDPOINT is set to, and the HTTPS proxy of clients that only know Google's own addresses.

    `ca` is the file of the certificate that those must trust.
    """

    def __init__(self, url: str, ca: str) -> None:
        self.url = url
        self.ca = ca

    def proxy(self) -> dict[str, str]:
        """The environment of an rclone that believes to talk to Google."""
        return {"HTTPS_PROXY": self.url, "RCLONE_CA_CERT": self.ca}

    def control(self, verb: str, **fields: Any) -> Any:
        """What control.py's `do_<verb>` returns."""
        request = Request(f"{self.url}_control/{verb}", json.dumps(fields).encode(), method="POST")
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def token(
        self,
        account: str = "ann@example.org",
        client_id: str = "desktop.apps.example.org",
        scopes: tuple[str, ...] = (FILE,),
        expires_s: int = 3600,
    ) -> str:
        """The credential JSON (BATONPASS_DRIVE_TOKEN) of a person who has said yes to a client."""
        fields = {"account": account, "client_id": client_id, "scopes": scopes, "expires_s": expires_s}
        grant = self.control("grant", **fields)
        return json.dumps(
            {
                "type": "authorized_user",
                "client_id": client_id,
                "client_secret": "GOCSPX-of-a-desktop-client",
                "refresh_token": grant["refresh_token"],
                "token_uri": f"{self.url}token",
                "scopes": list(scopes),
            }
        )

    def fault(self, kind: str, op: str = ".*", **fields: Any) -> None:
        """See faults.py."""
        self.control("fault", kind=kind, op=op, **fields)

    def struck(self, kind: str) -> int:
        """How often faults of this kind have struck."""
        return int(self.control("struck").get(kind, 0))

    def log(self) -> dict[str, Any]:
        return dict(self.control("log"))

    def files(self, title: str | None = None) -> list[dict[str, Any]]:
        """Everything on every account, or what bears this title."""
        return [f for f in self.control("files") if title in (None, f["title"])]


@contextmanager
def running() -> Iterator[Emulator]:
    """An emulator in a process of its own."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-m", "drive_emulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Emulator(**json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # a child forked by another test holds the other end of the pipe too
            process.kill()
            process.wait(timeout=30)
        process.stdout.close()
