"""How a measure and its child process talk: one JSON line each way, and the child's anonymous memory as the system counts it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

SAMPLE_EVERY_S = 0.02


class Child:
    """A process of ours or of a rival. `tell` and `hear` speak lines of JSON; `kill` is SIGKILL."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._errors: list[str] = []
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()

    def tell(self, **fields: Any) -> None:
        """Send one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(fields) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next line. RuntimeError with what it complained about where it ended instead."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        self.process.wait()
        self._drain.join(5)
        raise RuntimeError(f"{self.process.args!r:.100} ended with {self.process.returncode}: {self.errors()}")

    def errors(self) -> str:
        """What it complained about, the end of it."""
        return "".join(self._errors)[-2000:]

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.close()

    def close(self) -> int:
        """Let it end; its exit status."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        status = self.process.wait(600)
        self._drain.join(5)
        return status

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as errors:
            self._errors.extend(errors)


class Memory:
    """The highest RssAnon + RssShmem of a process, sampled fifty times a second (Linux only)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self.idle = self.peak = anonymous_bytes(pid)
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def extra_bytes(self) -> int:
        """The peak above the beginning; ends the sampling."""
        self._stop.set()
        self._thread.join()
        return max(self.peak - self.idle, 0)

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            self.peak = max(self.peak, anonymous_bytes(self._pid))


def anonymous_bytes(pid: int) -> int:
    """Memory that is no cache of a file. 0 for a process that has ended, or where this is not known."""
    if sys.platform != "linux":
        return 0
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
