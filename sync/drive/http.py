"""Media and clock over `requests`: one session per thread, a timeout on everything, a rejected token replaced once."""

from __future__ import annotations

import logging
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests

from batonpass.sync.drive.failures import guarded
from batonpass.sync.drive.pace import Pace
from batonpass.sync.sign_in import Credential

TIMEOUT_S: Final = (15.0, 60.0)
"""To connect, and between two bytes."""
_SECRET = re.compile(r"(upload_id=)[^&\s\"']+")


class _HideSessions(logging.Filter):
    """urllib3 logs URLs at level DEBUG, and a session's URL alone allows writing to it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "upload_id=" in record.getMessage():
            record.msg, record.args = _SECRET.sub(r"\1[hidden]", record.getMessage()), ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_HideSessions())


class ServerClock:
    """Drive's clock, learned from the Date header of its answers (whole seconds)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: tuple[datetime, float, float] | None = None

    def learn(self, date: str | None) -> None:
        """Take in a Date header."""
        try:
            said = parsedate_to_datetime(date or "").astimezone(UTC)
        except ValueError:
            return
        with self._lock:
            self._seen = (said, time.monotonic(), time.time())

    def now(self, *, at_most_s: float = 60.0) -> datetime | None:
        """The time there, or None if the last answer is older than `at_most_s` (a laptop that slept has no older memory)."""
        with self._lock:
            seen = self._seen
        if seen is None:
            return None
        said, monotonic, wall = seen
        passed = time.monotonic() - monotonic
        if passed > at_most_s or abs(time.time() - wall - passed) > 2.0:
            return None
        return said + timedelta(seconds=passed)


class DriveHttp:
    """Authorised requests. `root_url` is where the API lives, ending in "/"; `up` and `down` say how fast content may go."""

    def __init__(
        self, credential: Credential, root_url: str, *, up: Pace | None = None, down: Pace | None = None
    ) -> None:
        self.up = up or Pace()
        self.down = down or Pace()
        self.credential = credential
        self.root_url = root_url
        self.clock = ServerClock()
        self._threads = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def send(self, method: str, url: str, *, headers: dict[str, str] | None = None, **kwargs: Any) -> requests.Response:
        """One request. After a 401 the token is replaced; the request goes out again unless its body is a stream.

        An error answer is an answer; no answer is a StoreUnreachableError.
        """
        answer = self._send_once(method, url, headers or {}, kwargs)
        if answer.status_code == 401:
            answer.close()
            self.credential.replace(answer.request.headers["Authorization"].removeprefix("Bearer "))
            if isinstance(kwargs.get("data"), bytes | None):
                return self._send_once(method, url, headers or {}, kwargs)
        return answer

    def _send_once(self, method: str, url: str, headers: dict[str, str], kwargs: dict[str, Any]) -> requests.Response:
        self.credential.ensure_fresh()
        sent = {**headers, "Authorization": f"Bearer {self.credential.google.token}"}
        session = self._session()
        answer = guarded(
            "",
            "",
            lambda: session.request(method, url, headers=sent, timeout=TIMEOUT_S, allow_redirects=False, **kwargs),
        )
        self.clock.learn(answer.headers.get("Date"))
        return answer

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            with self._lock:
                self._sessions.append(session)
        return session

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()
