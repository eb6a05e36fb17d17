"""A process of its own for each attempt, made by fork: it is really killed, and torch need not be loaded again (Linux and macOS).

Nothing here may have started a thread before the fork: one torch thread, and no run open in the parent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ended:
    """What a child left: its answer, or where it was stopped and killed."""

    answer: Any
    killed_at: str
    """Empty when it ended by itself."""


class Pipe:
    """The child's way to tell: lines of JSON."""

    def __init__(self, end: int) -> None:
        self._end = end

    def tell(self, **what: Any) -> None:
        """One line, in one write: no other thread's bytes come between."""
        os.write(self._end, json.dumps(what).encode() + b"\n")


def run(work: Callable[[Pipe], Any]) -> Ended:
    """Run `work` in a child; its result must be JSON. A child that stops itself (SIGSTOP) is killed with SIGKILL where it stands.

    ChildProcessError when it ends in any other way: a kill that did not land where it said is no kill.
    """
    sys.stdout.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(work, Pipe(writing))
    os.close(writing)
    status = os.waitpid(child, os.WUNTRACED)[1]
    stopped = os.WIFSTOPPED(status)
    if stopped:
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    with os.fdopen(reading) as pipe:
        said = [json.loads(line) for line in pipe]
    last = said[-1] if said else {}
    if stopped and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and "at" in last:
        return Ended(None, last["at"])
    if not stopped and os.WIFEXITED(status) and "answer" in last:
        return Ended(last["answer"], "")
    raise ChildProcessError(f"status {status}, stopped: {stopped}; {last.get('error', last)}")


def stand_still(pipe: Pipe, at: str) -> None:
    """Say where, and stop: the parent sees the whole process stand there before it kills it."""
    pipe.tell(at=at)
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:  # the other threads stop a moment later; this one does nothing more
        signal.pause()


def _be_child(work: Callable[[Pipe], Any], pipe: Pipe) -> None:
    """Never returns, and runs nothing that the parent would run at its own end."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    try:
        pipe.tell(answer=work(pipe))
    except BaseException:  # noqa: BLE001  # told to the parent, which raises
        pipe.tell(error=traceback.format_exc()[-3000:])
    finally:
        os._exit(0)
