"""What goes wrong, when a test says so.

A fault is {"kind": ..., "op": ..., "times": 1, "skip": 0, "chance": 1.0, ...}: it strikes calls whose name `op` matches as a regular
expression, after letting `skip` of them pass, `times` times (0 = for ever), each with `chance` out of the seeded generator.
`at_bytes` names a place in an upload instead of in a request: the request that brings this byte is struck right there.

    kind       further fields                         what happens
    answer     status, reason, html, retry_after_s    the call is answered with this error and does nothing;
               after_bytes                            an upload keeps so many bytes of this request first
    early      status, after_bytes                    an upload is answered with this error after so many bytes, and the
                                                      connection is cut: nothing more is taken
    reset      after_bytes                            the connection is reset after so many bytes of the body (up or down)
    stall      for_s                                  nothing happens for so long, then the connection is cut
    lost       status (0 = reset)                     the call does its work, the client never learns it
    short      keep_bytes                             an upload's content is kept only so far, and the 308 says so
    lost_commit  status                               what makes or replaces a file does so and is answered with an error, once for each
                                                      name of an account
    gone       status                                 the upload session is forgotten
    wrong_md5                                         the file's md5Checksum is wrong from now on
"""

from __future__ import annotations

import dataclasses
import random
import re
import threading
from dataclasses import dataclass


@dataclass
class Fault:
    kind: str
    op: str = ".*"
    times: int = 1
    skip: int = 0
    chance: float = 1.0
    status: int = 503
    reason: str = "backendError"
    html: bool = False
    retry_after_s: float | None = None
    after_bytes: int = 0
    keep_bytes: int = 0
    for_s: float = 0.0
    at_bytes: int | None = None


class Faults:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.random = random.Random(0)
        self.struck: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self.faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self.faults.clear()

    def take(self, op: str, span: tuple[int, int] | None = None) -> Fault | None:
        """The fault that strikes this call, if any."""
        with self._lock:
            for fault in self.faults:
                if not re.fullmatch(fault.op, op):
                    continue
                if fault.at_bytes is not None and not (span and span[0] <= fault.at_bytes < span[1]):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                elif self.random.random() < fault.chance:
                    self._count(fault)
                    return _placed(fault, span)
        return None

    def _count(self, fault: Fault) -> None:
        self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
        if fault.times == 1:
            self.faults.remove(fault)
        elif fault.times > 1:
            fault.times -= 1


def _placed(fault: Fault, span: tuple[int, int] | None) -> Fault:
    """A fault at a place in an upload, as counted within the request that brings it."""
    if fault.at_bytes is None or span is None:
        return fault
    inside = fault.at_bytes - span[0]
    return dataclasses.replace(fault, after_bytes=inside, keep_bytes=inside)
