"""Ids that Drive gave out in advance. A create under such an id whose answer is lost cannot make a twin when it is repeated."""

from __future__ import annotations

import threading
from typing import Final

from batonpass.sync.drive.failures import from_answer
from batonpass.sync.drive.http import DriveHttp

_AT_ONCE: Final = 100
_MOST: Final = 1000


class Ids:
    """A stock of fresh ids, and which key each id of an unfinished create was meant for."""

    def __init__(self, http: DriveHttp) -> None:
        self._http = http
        self._stock: list[str] = []
        self._reserved: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(self, count: int) -> list[str]:
        """`count` ids that nothing else gets."""
        with self._lock:
            while len(self._stock) < count:
                self._stock += self._ask(max(_AT_ONCE, min(_MOST, count - len(self._stock))))
            taken, self._stock = self._stock[:count], self._stock[count:]
        return taken

    def reserve(self, name: str) -> str:
        """The id to create `name` under: the same at every try until `settle`."""
        with self._lock:
            reserved = self._reserved.get(name)
        if reserved is not None:
            return reserved
        (fresh,) = self.take(1)
        with self._lock:
            return self._reserved.setdefault(name, fresh)

    def settle(self, name: str) -> None:
        """The create of `name` is known to have happened (or to be another's)."""
        with self._lock:
            self._reserved.pop(name, None)

    def _ask(self, count: int) -> list[str]:
        answer = self._http.send("GET", f"{self._http.root_url}drive/v2/files/generateIds?maxResults={count}")
        if answer.status_code != 200:
            raise from_answer(answer.status_code, answer.headers, answer.content)
        return [str(i) for i in answer.json()["ids"]]
