"""`batonpass.watch`: mirrors any trainer's output folder from the notebook that trains, in the background."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from batonpass.core.errors import UsageError
from batonpass.core.settings import Settings, read_settings
from batonpass.core.storage import Store

if TYPE_CHECKING:
    from batonpass.core.model import ResumeRecord
    from batonpass.sync.watch_status import WatchStatus
    from batonpass.sync.watching import Watch

_open_watches: dict[tuple[str, str], FolderWatch] = {}


class FolderWatch:
    """A folder that is being mirrored. `stop()` when the training is over; leaving a `with` block does it, too."""

    def __init__(self, watch: Watch) -> None:
        """Begin to look, in a thread of its own."""
        joined = watch.active.joined
        self.run_id = joined.info.run_id
        self.root_id = joined.root.root_id
        self._watch = watch
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=watch.run_until, args=(self._stopping,), name="batonpass-watch", daemon=True
        )
        self._thread.start()
        atexit.register(self.stop)

    def status(self) -> WatchStatus:
        """What of it is safe, what the newest checkpoint lacks for an exact resume, how far the training came; printed, in words."""
        return self._watch.status()

    def log(self, step: int, values: dict[str, Any], *, epoch: float = 0.0) -> None:
        """Log metrics of the trainer into the run. Never raises and never waits."""
        self._watch.metrics.log(step, values, epoch=epoch)

    @property
    def newest_step(self) -> int | None:
        """The step of the checkpoint that the run had when this watch began; None where it had none."""
        record = self._watch.active.joined.writer.record.resumed_from
        return record.step if record else None

    def continues(self, record: ResumeRecord) -> None:
        """The trainer goes on from this very checkpoint. StoreError where that cannot be written down now."""
        writer = self._watch.active.joined.writer
        writer.change(step=record.step, resumed_from=record)
        writer.publish()

    def stop(self, *, timeout_s: float = 60.0) -> bool:
        """Take what is whole now, send it and end the session; True when all of it is on the store."""
        self._stopping.set()
        self._thread.join(timeout_s)
        atexit.unregister(self.stop)
        for key in [key for key, each in _open_watches.items() if each is self]:
            del _open_watches[key]
        return self._watch.close(timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def watch(
    folder: str | Path,
    *,
    run: str,
    store: str | Path | None = None,
    account: str | None = None,
    every_s: float = 5.0,
    keep: int = 5,
    metrics: bool = True,
    compress: bool | None = None,
    say: Callable[[str], None] = print,
) -> FolderWatch:
    """Mirror every checkpoint that appears in `folder` (made if it is not there) until `stop()` or the end of this process.

    Taken are files *.pt *.pth *.ckpt *.safetensors *.keras *.h5 and folders `checkpoint-<n>`, once they have been still for
    `every_s` seconds and are structurally whole. `keep`: how many stay on the store. With `metrics` the numbers that the
    trainer writes (TensorBoard, `trainer_state.json`, CSV, JSON lines) are logged into the run; turn it off where you `log` them yourself.
    `compress`: safetensors files are packed, without loss, before they are sent (default: BATONPASS_COMPRESS, else not).
    Errors: those of `batonpass.start`.
    """
    from batonpass.sync.pruning import Keep  # noqa: PLC0415  # `import batonpass` stays light
    from batonpass.sync.watching import Watch, WatchOptions  # noqa: PLC0415

    opened, settings = open_for(store)
    settings = replace(settings, compress=settings.compress if compress is None else compress)
    before = _open_watches.get((opened.url, run))
    if before is not None:
        say("batonpass: this run is watched in this kernel; closing that session first")
        before.stop()
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    inner = Watch(
        opened,
        place,
        run,
        account=account or settings.account or "",
        settings=settings,
        options=WatchOptions(pid=os.getpid(), every_s=every_s, keep=Keep(last=keep), say=say, metrics=metrics),
    )
    joined = inner.active.joined
    watched = FolderWatch(inner)
    _open_watches[(opened.url, run)] = watched
    say(
        f"batonpass: watching {place} as {joined.info.slug}-{joined.info.run_id}{' (NEW)' if joined.created else ''} on {opened.url}"
    )
    return watched


def open_for(store: str | Path | None) -> tuple[Store, Settings]:
    """The store that an argument or BATONPASS_STORE names, tried again where that helps. UsageError when neither names one."""
    from batonpass.sync.stores import open_store  # noqa: PLC0415  # `import batonpass` stays light
    from batonpass.sync.stores.retry import RetryStore  # noqa: PLC0415

    settings = read_settings()
    url = str(store) if store is not None else settings.store
    if not url:
        raise UsageError(
            "no store was named", hint='pass store="/content/drive/MyDrive/batonpass", or set BATONPASS_STORE'
        )
    return RetryStore(open_store(url, settings)), settings
