"""A callback for `transformers.Trainer`. Logs what the Trainer logs and mirrors `args.output_dir`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from batonpass.callbacks.mirroring import Mirroring


class _HuggingFace:
    """The events that we answer; every other one is the base class's."""

    def __init__(
        self,
        run: str,
        *,
        store: str | Path | None = None,
        account: str | None = None,
        keep: int = 5,
        say: Callable[[str], None] = print,
    ) -> None:
        """`run` and `store` as for `batonpass.watch`. Only the process of rank 0 mirrors."""
        super().__init__()
        self._mirroring = Mirroring(run, store=store, account=account, keep=keep, say=say)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002  # the Trainer's signature
        """Begin to watch the output folder."""
        if getattr(state, "is_world_process_zero", True):
            self._mirroring.begin(args.output_dir)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_more: Any) -> None:  # noqa: ARG002
        """Log the Trainer's numbers at its global step."""
        self._mirroring.log(state.global_step, logs, epoch=state.epoch)

    def on_train_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002
        """Send what is whole and end the session."""
        self._mirroring.end()


def __getattr__(name: str) -> Any:
    """`BatonpassCallback`, made of transformers' own base class when it is first asked for."""
    if name != "BatonpassCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from transformers import TrainerCallback  # noqa: PLC0415  # only when the class is used

    made = type(
        "BatonpassCallback", (_HuggingFace, TrainerCallback), {"__doc__": _HuggingFace.__doc__, "__module__": __name__}
    )
    globals()[name] = made
    return made
