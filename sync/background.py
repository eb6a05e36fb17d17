"""Lets our own threads step back where the processors are wanted by the training."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICE = 10
"""Added to what the process has. Where training and its data loaders leave no processor free, such a thread gets about a tenth of one."""


def step_back() -> None:
    """Lower the priority of the calling thread, and of those that it will start. Only Linux knows it per thread; elsewhere nothing happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may forbid even this
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + NICE, 19))
