"""A callback for Lightning: logs `trainer.callback_metrics`, mirrors the output folder, resumes, and adds to each checkpoint what Lightning
leaves out: the random streams and, for any loader, the place in the data.

It lies inside the `.ckpt` itself, as the callback's own state, so the two can never be of different steps.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batonpass.callbacks.mirroring import Mirroring
from batonpass.callbacks.resuming import judge, missing_in
from batonpass.core.errors import UsageError

if TYPE_CHECKING:
    from batonpass.core.training.replay import ReplayLoader

_POISONED = {"2.6.2", "2.6.3"}
_KEY = "sidecar"
_STATELESS = {"torch", "lightning", "pytorch_lightning"}
"""Whose samplers are known to keep nothing from one epoch to the next but what the random streams hold."""


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
        """`folder`: what is watched (default: the trainer's `default_root_dir`, which is the current folder unless you set it). Metrics
        are read every `every_steps` steps. Only the process of rank 0 mirrors.
        """
        super().__init__()
        self._folder = folder
        self._every_steps = max(every_steps, 1)
        self._mirroring = Mirroring(run, store=store, account=account, keep=keep, say=say)
        self._trainer: Any = None
        self._replays: list[ReplayLoader] = []
        self._why_no_replay = ""
        self._stored: Any = None
        """What `load_state_dict` was given; put back when the training begins."""

    @property
    def state_key(self) -> str:
        """The name of our state in a checkpoint, whatever the class is called."""
        return "BatonpassCallback"

    def resume_from(self, *, from_scratch: bool = False) -> str | None:
        """For `trainer.fit(..., ckpt_path=callback.resume_from())`: the newest durable checkpoint of the run, brought back as a plain
        file into the folder. None on the first day.

        NothingToRestoreError when the run was trained before and nothing restores (`from_scratch=True`: None then); otherwise the
        errors of `batonpass.restore`.
        """
        path = self._mirroring.resume_from(self._folder or Path.cwd(), from_scratch=from_scratch)
        return str(path) if path else None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002  # Lightning's signature
        """Remember the trainer: `state_dict` is not told."""
        self._trainer = trainer

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """Begin to watch."""
        if getattr(trainer, "is_global_zero", True):
            self._mirroring.begin(self._folder or trainer.default_root_dir)

    def state_dict(self) -> dict[str, Any]:
        """The side-car, for the checkpoint that Lightning is writing. Never raises; without it the resume is PARTIAL."""
        found: dict[str, Any] = {}
        if self._trainer is not None:
            self._mirroring.attempt(lambda: found.update({_KEY: self._pack(self._trainer)}))
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep it until the training begins: other parts of the restore still draw random numbers."""
        self._stored = state_dict.get(_KEY)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """After Lightning's own restore, right before the first batch: put back what it left out."""
        self._wrap_loaders(trainer)
        stored, self._stored = self._stored, None
        if trainer.global_step == 0:
            self._mirroring.began_anew()
        if trainer.global_step > 0 or stored is not None:
            self._mirroring.attempt(self._resume, stored)
        if self._replays:
            iter(trainer.fit_loop._data_fetcher)  # noqa: SLF001  # the iterator that it made before is of the bare loaders

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
        """The loaders may be new ones (`reload_dataloaders_every_n_epochs`); their iteration begins only after this."""
        self._wrap_loaders(trainer)

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

    def _wrap_loaders(self, trainer: Any) -> None:
        """Let the epochs be drawn anew from their start, whatever the loaders are. Lightning has no public place for it."""
        from batonpass.core.training.replay import ReplayLoader  # noqa: PLC0415  # torch is there by now

        try:
            combined = trainer.fit_loop._combined_loader  # noqa: SLF001
            if any(callable(getattr(loader, "load_state_dict", None)) for loader in combined.flattened):
                self._replays = []  # such a loader restores its own position, through Lightning
                return
            self._replays = [
                each if isinstance(each, ReplayLoader) else ReplayLoader(each) for each in combined.flattened
            ]
            combined.flattened = self._replays
        except AttributeError as error:
            self._replays, self._why_no_replay = (
                [],
                f"this Lightning has another inside ({error}): the place in the data",
            )
            return
        # it speaks of the bare loader, which we have just made resumable
        warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")

    def _pack(self, trainer: Any) -> dict[str, Any]:
        from batonpass.core.training.rng import capture_rng  # noqa: PLC0415
        from batonpass.core.training.sidecar import pack_sidecar  # noqa: PLC0415

        progress = trainer.fit_loop.epoch_loop.batch_progress
        used = int(progress.current.ready)
        over = bool(progress.is_last_batch) or used >= trainer.num_training_batches  # the next batch begins an epoch
        state = {
            "rng": capture_rng(),
            "epoch_is_over": over,
            "loaders": None if over else [loader.position(used) for loader in self._replays],
        }
        return pack_sidecar(state, trainer="lightning", step=trainer.global_step, missing=list(self._lacking(trainer)))

    def _lacking(self, trainer: Any) -> Iterator[str]:
        """What neither Lightning nor we can store."""
        if self._why_no_replay:
            yield self._why_no_replay
        if trainer.world_size > 1:
            yield f"the random streams of {trainer.world_size - 1} other processes are not in it"
        if trainer.reload_dataloaders_every_n_epochs:
            yield "the loaders are made anew while it trains (reload_dataloaders_every_n_epochs): what that draws is not in it"
        if trainer.fit_loop.epoch_loop.batch_progress.current.ready % trainer.accumulate_grad_batches:
            yield "it was saved between the batches of one optimizer step, whose gradients are not in it"
        for loader in self._replays:
            yield from doubts_about(loader)

    def _resume(self, stored: Any) -> None:
        """Put back what was stored, and say how exact that is."""
        missing: list[str] = []
        environment: list[dict[str, str]] = []
        if not self._mirroring.attempt(self._put_back, stored, missing, environment):
            missing.append("what the side-car holds could not be put back")
        if self._mirroring.placed is not None:
            missing += missing_in(self._mirroring.placed.path)
        self._mirroring.resumed(judge(missing, environment[0] if environment else None))

    def _put_back(self, stored: Any, missing: list[str], environment: list[dict[str, str]]) -> None:
        from batonpass.core.training.rng import restore_rng  # noqa: PLC0415
        from batonpass.core.training.sidecar import unpack_sidecar  # noqa: PLC0415

        sidecar = unpack_sidecar(stored)
        if sidecar is None:
            return
        environment.append(sidecar.environment)
        missing += sidecar.facts.missing
        positions = sidecar.state.get("loaders") or []
        if not sidecar.state.get("epoch_is_over"):
            if len(positions) != len(self._replays) or not positions:
                missing.append("the place in the data: the loaders are others than before")
            else:
                for loader, position in zip(self._replays, positions, strict=True):
                    loader.go_on(position)
        if getattr(self._trainer, "global_rank", 0) == 0:
            missing += restore_rng(sidecar.state["rng"])


def doubts_about(loader: Any) -> Iterator[str]:
    """What of a loader cannot be seen from outside."""
    from torch.utils.data import IterableDataset  # noqa: PLC0415  # torch is there by now

    if getattr(loader, "num_workers", 0) and getattr(loader, "persistent_workers", False):
        yield "the loader's workers live on from epoch to epoch: their random streams are not in it"
    if isinstance(getattr(loader, "dataset", None), IterableDataset):
        yield "an iterable data set is read anew from its start: the same only if it repeats itself"
    batch_sampler = getattr(loader, "batch_sampler", None)
    for sampler in (batch_sampler, getattr(batch_sampler, "sampler", None)):
        if sampler is not None and type(sampler).__module__.split(".", maxsplit=1)[0] not in _STATELESS:
            yield f"the sampler {type(sampler).__qualname__} may keep a state of its own"


def _refuse_poisoned() -> None:
    """Lightning 2.6.2 and 2.6.3 were malware (GHSA-w37p-236h-pfx3): they steal credentials when they are imported."""
    with suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version("lightning")
        if version in _POISONED:
            raise UsageError(
                f"lightning {version} is malware (GHSA-w37p-236h-pfx3): importing it steals credentials",
                hint="pip install --force-reinstall 'lightning!=2.6.2,!=2.6.3', and change every password and token that this machine knew",
            )


def __getattr__(name: str) -> Any:
    """`BatonpassCallback`, made of Lightning's own base class when it is first asked for. UsageError for a Lightning that is malware."""
    if name != "BatonpassCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _refuse_poisoned()
    try:
        from lightning.pytorch.callbacks import Callback  # noqa: PLC0415  # only when the class is used
    except ModuleNotFoundError:
        from pytorch_lightning.callbacks import Callback  # noqa: PLC0415  # its older name

    made = type("BatonpassCallback", (_Lightning, Callback), {"__doc__": _Lightning.__doc__, "__module__": __name__})
    globals()[name] = made
    return made
