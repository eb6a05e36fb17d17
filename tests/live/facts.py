"""Asks a Drive what its documentation leaves open. Each answer is one line to compare with the switches of drive_emulator/temper.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batonpass.sync.stores.gdrive import GDriveStore

_WATCH_S = 20.0
"""How long an etag is watched, and a listing waited for."""


class Facts:
    def __init__(self, store: GDriveStore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.http = store._http

    def lines(self) -> list[str]:
        info = self.store.put("facts/a.json", b"one")
        file_id = str(info.id)
        etag = self._etag_drift(file_id, self.store._writer._swapper._etags[file_id][1])
        lag = self._list_lag(str(self.store.put("facts/b.json", b"b").id))
        version = self.store.put("facts/a.json", b"two", expect=info.version).version
        honoured = self.store._writer._swapper._honoured
        same = self.store.put("facts/a.json", b"two").version
        return [
            f"If-Match where content is replaced: {'honoured' if honoured else 'ignored'}",
            f"etag after a write: {etag}",
            f"a new file in lists: {lag}",
            f"equal content written again: {'the same revision' if same == version else 'a new revision'}",
            f"original file name of a revision: {self._original_name(file_id)}",
            f"a taken id: {self._taken_id(file_id)}",
        ]

    def _get(self, path: str) -> Any:
        return self.http.send("GET", f"{self.http.root_url}drive/v2/files{path}").json()

    def _list_lag(self, file_id: str) -> str:
        parent = self._get(f"/{file_id}?fields=parents(id)")["parents"][0]["id"]

        def listed() -> bool:
            items = self._get(f"?q='{parent}'+in+parents&fields=items(id)")["items"]
            return file_id in [item["id"] for item in items]

        asked, seconds = _until(listed)
        return f"at look {asked}, after {seconds:.1f} s" if asked else f"not within {_WATCH_S:.0f} s"

    def _etag_drift(self, file_id: str, first: str) -> str:
        asked, seconds = _until(lambda: self._get(f"/{file_id}?fields=etag")["etag"] != first)
        return (
            f"changed after {seconds:.1f} s, although nobody wrote"
            if asked
            else f"still the same after {_WATCH_S:.0f} s"
        )

    def _original_name(self, file_id: str) -> str:
        for name in ("a mark", "another"):
            self.http.send(
                "PUT",
                f"{self.http.root_url}upload/drive/v2/files/{file_id}?uploadType=multipart",
                headers={"Content-Type": "multipart/related; boundary=b"},
                data=(
                    f'--b\r\nContent-Type: application/json\r\n\r\n{{"originalFilename": "{name}"}}\r\n'
                    f"--b\r\nContent-Type: application/octet-stream\r\n\r\n{name}\r\n--b--\r\n"
                ).encode(),
            )
        items = self._get(f"/{file_id}/revisions?fields=items(originalFilename)")["items"]
        names = [item.get("originalFilename") for item in items]
        return "kept for each" if names[-2:] == ["a mark", "another"] else f"not kept for each ({names[-2:]})"

    def _taken_id(self, file_id: str) -> str:
        answer = self.http.send(
            "POST",
            f"{self.http.root_url}drive/v2/files",
            headers={"Content-Type": "application/json"},
            data=f'{{"id": "{file_id}", "title": "x"}}'.encode(),
        )
        return f"{answer.status_code} {answer.json().get('error', {}).get('errors', [{}])[0].get('reason', '')}"


def _until(true: Callable[[], bool]) -> tuple[int, float]:
    """Which look saw it, and after how many seconds; look 0 where none did."""
    started, looks = time.monotonic(), 0
    while time.monotonic() - started < _WATCH_S:
        looks += 1
        if true():
            return looks, time.monotonic() - started
        time.sleep(0.5)
    return 0, _WATCH_S
