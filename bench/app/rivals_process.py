"""Talks to rival_readers.py, which runs in the rivals' own interpreter."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class RivalsProcess:
    """A context in which the rivals answer. `python` is an interpreter that has trackio, tensorboard and tensorboardX."""

    def __init__(self, python: Path, folder: Path, *, calls: int = 0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {
            "TRACKIO_DIR": str(folder / "trackio"),
            "BENCH_CALLS": str(calls),
            "HF_HUB_OFFLINE": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
        }
        script = Path(__file__).with_name("rival_readers.py")
        self._log = (folder / "rivals.log").open("w")
        self._process = subprocess.Popen(
            [str(python), str(script), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment,
        )

    def ask(self, word: str) -> Any:
        """What the rivals' side answers to one of its words. RuntimeError with its last lines when it has died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(word, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError((self.folder / "rivals.log").read_text()[-2000:])
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
