"""A callback for Lightning. Logs `trainer.callback_metrics` and mirrors `trainer.default_root_dir`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from batonpass.callbacks.mirroring import Mirroring


class _Lightning:
    """The events that we answer; every other one is the base class's."""

    def __init__(
        self,
        run: str,
        *,
        folder: str | Path | None = None,
        store: str | Path | None = None,
        account: str | None = None,
        keep: int = 5,
        every_steps: int = 50,
        say: Callable[[str], None] = print,
    ) -> None:
        """`folder`: what is watched (default: the trainer's `default_root_dir`). Metrics are read every `every_steps` steps."""
        super().__init__()
        self._folder = folder
        self._every_steps = max(every_steps, 1)
        self._mirroring = Mirroring(run, store=store, account=account, keep=keep, say=say)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002  # Lightning's signature
        """Begin to watch."""
        if getattr(trainer, "is_global_zero", True):
            self._mirroring.begin(self._folder or trainer.default_root_dir)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Log the newest numbers now and then."""
        if trainer.global_step % self._every_steps == 0:
            self._log(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Log the validation's numbers."""
        if not getattr(trainer, "sanity_checking", False):
            self._log(trainer)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Send what is whole and end the session."""
        self._mirroring.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:  # noqa: ARG002
        """The same when the training fails."""
        self._mirroring.end()

    def _log(self, trainer: Any) -> None:
        self._mirroring.log(trainer.global_step, dict(trainer.callback_metrics), epoch=float(trainer.current_epoch))


def __getattr__(name: str) -> Any:
    """`BatonpassCallback`, made of Lightning's own base class when it is first asked for."""
    if name != "BatonpassCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from lightning.pytorch.callbacks import Callback  # noqa: PLC0415  # only when the class is used
    except ModuleNotFoundError:
        from pytorch_lightning.callbacks import Callback  # noqa: PLC0415  # its older name

    made = type("BatonpassCallback", (_Lightning, Callback), {"__doc__": _Lightning.__doc__, "__module__": __name__})
    globals()[name] = made
    return made
