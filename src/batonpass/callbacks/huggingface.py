"""A callback for `transformers.Trainer`: logs what the Trainer logs, mirrors `args.output_dir`, resumes, and puts a side-car into each
`checkpoint-<n>` that says where it was made and what of the data would not repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batonpass.callbacks.mirroring import Mirroring
from batonpass.callbacks.resuming import judge, missing_in
from batonpass.core.errors import UsageError

_DRAWS = (
    "random numbers that are drawn while samples are fetched or collated (augmentation, masking) are others after a resume: "
    "wrap the data set, train_dataset=callback.steady(dataset)"
)
_UNKNOWN = "whether fetching a batch draws random numbers could not be found out; a resume does not repeat those"


class _HuggingFace:
    """The events that we answer; every other one is the base class's."""

    def __init__(
        self,
        run: str,
        *,
        folder: str | Path | None = None,
        store: str | Path | None = None,
        account: str | None = None,
        keep: int = 5,
        say: Callable[[str], None] = print,
    ) -> None:
        """`run` and `store` as for `batonpass.watch`; `folder`: the Trainer's `output_dir`, which is known without it once the callback
        was given to a Trainer. Only the process of rank 0 mirrors.
        """
        super().__init__()
        self._folder = Path(folder) if folder is not None else None
        self._mirroring = Mirroring(run, store=store, account=account, keep=keep, say=say)
        self._steady: Any = None
        self._doubts: tuple[str, ...] = ()

    def resume_from(self, *, from_scratch: bool = False) -> str | None:
        """For `trainer.train(resume_from_checkpoint=callback.resume_from())`: the newest durable checkpoint of the run, brought back as
        a plain folder into `output_dir`. None on the first day.

        UsageError before the callback was given to a Trainer; NothingToRestoreError when the run was trained before and nothing
        restores (`from_scratch=True`: None then); otherwise the errors of `batonpass.restore`.
        """
        if self._folder is None:
            raise UsageError(
                "the output folder is not known yet",
                hint="make the Trainer first: Trainer(..., callbacks=[callback]), or BatonpassCallback(..., folder=output_dir)",
            )
        path = self._mirroring.resume_from(self._folder, from_scratch=from_scratch)
        return str(path) if path else None

    def steady(self, dataset: Any, *, seed: int = 0) -> Any:
        """The same map-style data set, whose random augmentation, and the random collation of its batches, depend on (seed, epoch,
        index) alone: they repeat exactly after a resume, which the Trainer by itself cannot do.
        """
        from batonpass.core.training.steady_dataset import SteadyDataset  # noqa: PLC0415  # torch is there by now

        self._steady = SteadyDataset(dataset, seed)
        return self._steady

    def on_init_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002  # the Trainer's signature
        """The Trainer is made: its output folder is known."""
        self._folder = self._folder or Path(args.output_dir)

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002
        """Begin to watch the output folder, and say how exact the resume is. The Trainer puts its own random streams back."""
        loader = more.get("train_dataloader")
        if self._steady is not None and loader is not None:
            self._mirroring.attempt(_make_collation_steady, loader)
        if not getattr(state, "is_world_process_zero", True):
            return
        self._mirroring.begin(args.output_dir)
        self._doubts = tuple(_doubts(loader))
        if state.global_step == 0:
            self._mirroring.began_anew()
        elif self._mirroring.placed is not None:
            self._mirroring.attempt(self._judge, self._mirroring.placed.path)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002
        """Tell a steady data set which epoch it is, before workers get their copy of it."""
        if self._steady is not None:
            self._steady.epoch = int((state.epoch or 0.0) + 1e-6)

    def on_save(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002
        """The Trainer has written a checkpoint and removed older ones: add the side-car."""
        if getattr(state, "is_world_process_zero", True):
            path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self._mirroring.attempt(self._write, path, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_more: Any) -> None:  # noqa: ARG002
        """Log the Trainer's numbers at its global step."""
        self._mirroring.log(state.global_step, logs, epoch=state.epoch)

    def on_train_end(self, args: Any, state: Any, control: Any, **_more: Any) -> None:  # noqa: ARG002
        """Send what is whole and end the session."""
        self._mirroring.end()

    def _write(self, path: Path, step: int) -> None:
        from batonpass.core.training.sidecar import write_sidecar  # noqa: PLC0415  # torch is there by now

        if path.is_dir():
            state = {"steady_seed": self._steady.seed if self._steady is not None else None}
            write_sidecar(path, state, trainer="transformers", step=step, missing=self._doubts)

    def _judge(self, path: Path) -> None:
        from batonpass.core.training.sidecar import read_sidecar  # noqa: PLC0415  # torch is there by now

        sidecar = read_sidecar(path)
        missing = [*missing_in(path), *self._doubts]
        seed = self._steady.seed if self._steady is not None else None
        if sidecar is not None and sidecar.state.get("steady_seed") != seed:
            missing.append("callback.steady was used with another seed, or only on one of the two days")
        self._mirroring.resumed(judge(missing, sidecar.environment if sidecar else None))


def _doubts(loader: Any) -> Iterator[str]:
    """What of the data a resume would not repeat, found out once by fetching its first samples."""
    from batonpass.core.training.steady_dataset import SteadyDataset, fetching_draws  # noqa: PLC0415  # torch is there by now

    if isinstance(getattr(loader, "dataset", None), SteadyDataset):
        if loader.num_workers and loader.persistent_workers:
            yield "persistent workers do not learn of a new epoch: their augmentation repeats that of the first"
        return
    try:
        draws = fetching_draws(loader)
    except Exception:  # noqa: BLE001  # any data set, any error: the doubt is what is said
        yield _UNKNOWN
        return
    if draws:
        yield _DRAWS


def _make_collation_steady(loader: Any) -> None:
    """The loader that the Trainer made keeps everything but its collate function, which torch lets one change."""
    from batonpass.core.training.steady_dataset import SteadyCollate  # noqa: PLC0415  # torch is there by now

    inner = getattr(loader, "base_dataloader", loader)
    if not isinstance(inner.collate_fn, SteadyCollate):
        inner.collate_fn = SteadyCollate(inner.collate_fn)


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
