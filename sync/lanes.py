"""Lanes for APScheduler: one daemon thread each, so that a heartbeat never queues behind an upload and a stuck upload never keeps
the interpreter from exiting.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor, run_job

from batonpass.sync.background import step_back


class LaneExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler 3 has no types
    """Runs the jobs of one lane one after the other in a daemon thread."""

    def __init__(self, name: str, *, yields: bool = False) -> None:
        """`name` becomes the thread's name. A lane that `yields` leaves the processors to the training: for work that may take long."""
        super().__init__()
        self._yields = yields
        self._name = name
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def start(self, scheduler: Any, alias: str) -> None:
        """Called by the scheduler when it starts."""
        super().start(scheduler, alias)
        threading.Thread(target=self._work, name=f"batonpass-{self._name}", daemon=True).start()

    def shutdown(self, wait: bool = True) -> None:  # noqa: ARG002  # APScheduler's signature
        """Let the thread end after what it is doing now."""
        self._queue.put(None)

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        self._queue.put(lambda: self._run(job, run_times))

    def _run(self, job: Any, run_times: list[datetime]) -> None:
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # noqa: SLF001  # as every executor does
        except BaseException as error:  # noqa: BLE001  # handed to APScheduler's own error path
            self._run_job_error(job.id, error, error.__traceback__)
        else:
            self._run_job_success(job.id, events)

    def _work(self) -> None:
        if self._yields:
            step_back()
        while (work := self._queue.get()) is not None:
            work()
