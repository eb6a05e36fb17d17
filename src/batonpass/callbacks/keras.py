"""A callback for Keras. Logs what `fit` reports and mirrors the folder that a `ModelCheckpoint` writes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from batonpass.callbacks.mirroring import Mirroring


class _Keras:
    """The events that we answer; every other one is the base class's."""

    def __init__(
        self,
        run: str,
        *,
        folder: str | Path,
        store: str | Path | None = None,
        account: str | None = None,
        keep: int = 5,
        every_steps: int = 50,
        say: Callable[[str], None] = print,
    ) -> None:
        """`folder`: where the model's checkpoints are written. Numbers are logged every `every_steps` batches and at each epoch's end."""
        super().__init__()
        self._folder = folder
        self._every_steps = max(every_steps, 1)
        self._step = 0
        self._epoch = 0
        self._mirroring = Mirroring(run, store=store, account=account, keep=keep, say=say)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002  # Keras's signature
        """Begin to watch."""
        self._mirroring.begin(self._folder)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Remember the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Count, and log now and then."""
        self._step += 1
        if self._step % self._every_steps == 0:
            self._mirroring.log(self._step, logs, epoch=float(self._epoch))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the epoch's numbers, validation included."""
        self._mirroring.log(self._step, logs, epoch=float(epoch + 1))

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Send what is whole and end the session."""
        self._mirroring.end()


def __getattr__(name: str) -> Any:
    """`BatonpassCallback`, made of Keras's own base class when it is first asked for."""
    if name != "BatonpassCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keras.callbacks import Callback  # noqa: PLC0415  # only when the class is used

    made = type("BatonpassCallback", (_Keras, Callback), {"__doc__": _Keras.__doc__, "__module__": __name__})
    globals()[name] = made
    return made
