"""A callback for Keras: logs what `fit` reports, mirrors the folder that a `ModelCheckpoint` writes to, resumes, and puts a side-car beside
each file with what Keras leaves out: the layers' seed generators (dropout) and Python's, NumPy's and torch's streams.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from batonpass.callbacks.mirroring import Mirroring
from batonpass.callbacks.resuming import judge, missing_in

_SUFFIXES = (".keras", ".h5")
_SEED_STATE = "seed_generator_state"
Mark = tuple[int, int, int]


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
        self._folder = Path(folder)
        self._every_steps = max(every_steps, 1)
        self._step = 0
        self._epoch = 0
        self._mirroring = Mirroring(run, store=store, account=account, keep=keep, say=say)
        self._first_epoch = 0
        self._pending: Path | None = None
        """The checkpoint that was resumed from, until the first epoch begins."""
        self._seen: dict[Path, Mark] = {}
        self._then: dict[str, Any] | None = None
        """The state when the last hook after a batch or an epoch was called: of that moment is a file that appeared since."""

    @property
    def initial_epoch(self) -> int:
        """For `model.fit(..., initial_epoch=callback.initial_epoch)`: how many epochs the resumed checkpoint has behind it; 0 without one."""
        return self._first_epoch

    def resume_from(self, *, from_scratch: bool = False) -> str | None:
        """The newest durable checkpoint of the run, brought back as a plain file into the folder: for `keras.models.load_model`, or
        `model.load_weights` where only weights are saved. None on the first day.

        NothingToRestoreError when the run was trained before and nothing restores (`from_scratch=True`: None then); otherwise the
        errors of `batonpass.restore`.
        """
        path = self._mirroring.resume_from(self._folder, from_scratch=from_scratch)
        self._pending, self._first_epoch = path, 0
        if path is None:
            return None
        self._first_epoch, self._step = self._position_of(path)
        return str(path)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002  # Keras's signature
        """Begin to watch."""
        self._mirroring.begin(self._folder)
        self._seen = dict(self._files())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Remember the epoch; before the first one of a resumed training, put back what Keras left out."""
        self._look()
        self._epoch = epoch
        pending, self._pending = self._pending, None
        if pending is not None:
            self._mirroring.attempt(self._put_back, pending, epoch)
        elif epoch == 0 and self._step == 0:
            self._mirroring.began_anew()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """A checkpoint may have been written after our last hook, by a callback that stands behind us."""
        self._look()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Count, and log now and then."""
        self._step += 1
        if self._step % self._every_steps == 0:
            self._mirroring.log(self._step, logs, epoch=float(self._epoch))
        self._note(over=False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Log the epoch's numbers, validation included."""
        self._mirroring.log(self._step, logs, epoch=float(epoch + 1))
        self._epoch = epoch + 1
        self._note(over=True)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Send what is whole and end the session."""
        self._look()
        self._mirroring.end()

    def _note(self, *, over: bool) -> None:
        """What a checkpoint that is written now must be given; then look whether one was written by a callback that stands before us."""
        if self._mirroring.attempt(self._capture, over):
            self._look()

    def _capture(self, over: bool) -> None:
        from batonpass.core.training.rng import read_streams  # noqa: PLC0415  # torch is there by now, if it is the backend

        self._then = {"streams": read_streams(), "epoch": self._epoch, "step": self._step, "over": over}

    def _look(self) -> None:
        """Write the side-car of every file that is new or changed."""
        self._mirroring.attempt(self._write_new)

    def _write_new(self) -> None:
        for path, mark in list(self._files()):
            if self._seen.get(path) != mark:
                self._seen[path] = mark
                if self._then is not None:
                    self._mirroring.attempt(self._write, path, self._then)

    def _files(self) -> Iterator[tuple[Path, Mark]]:
        from batonpass.core.sidecar import is_sidecar, owner_of  # noqa: PLC0415  # `import` of this module stays light

        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            with suppress(FileNotFoundError):  # it is being rotated away
                if is_sidecar(path.name):
                    if not path.with_name(owner_of(path.name)).exists():
                        path.unlink()  # its checkpoint was rotated away
                elif path.suffix.lower() in _SUFFIXES:
                    stat = path.stat()
                    yield path, (stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def _write(self, path: Path, then: dict[str, Any]) -> None:
        from batonpass.core.training.rng import streams_tree  # noqa: PLC0415
        from batonpass.core.training.sidecar import write_sidecar  # noqa: PLC0415

        missing = [] if then["over"] else ["it was saved in the middle of an epoch, which Keras begins anew"]
        state = {"rng": streams_tree(then["streams"]), "seeds": self._seeds(), "epoch": then["epoch"]}
        write_sidecar(path, state, trainer="keras", step=then["step"], missing=missing)

    def _seeds(self) -> list[list[int]]:
        """The state of each of the model's seed generators, in the order of its variables."""
        return [[int(number) for number in _numbers(variable)] for variable in self._seed_variables()]

    def _seed_variables(self) -> list[Any]:
        every = getattr(self.model, "variables", ())  # type: ignore[attr-defined]  # Keras sets it
        found = [v for v in every if getattr(v, "path", "").endswith(_SEED_STATE)]
        hidden = sys.modules.get("keras.src.random.seed_generator")
        if hidden is not None:
            found.append(hidden.global_seed_generator().state)  # of `keras.random` without a seed
        return found

    def _position_of(self, path: Path) -> tuple[int, int]:
        """(epochs that are over, steps): the side-car's, else what the file's name says."""
        from batonpass.core.training.sidecar import read_sidecar  # noqa: PLC0415
        from batonpass.sync.foreign import read_position  # noqa: PLC0415

        sidecar = read_sidecar(path)
        if sidecar is not None:
            return int(sidecar.state["epoch"]), sidecar.facts.step
        position = read_position(path)
        return int(position.epoch), position.step or 0

    def _put_back(self, path: Path, epoch: int) -> None:
        from batonpass.core.training.rng import restore_rng  # noqa: PLC0415
        from batonpass.core.training.sidecar import read_sidecar  # noqa: PLC0415

        missing = [*missing_in(path)]
        if epoch != self._first_epoch:
            missing.append(
                f"fit began with epoch {epoch} instead of {self._first_epoch}: pass initial_epoch=callback.initial_epoch"
            )
        sidecar = read_sidecar(path)
        if sidecar is not None:
            variables, seeds = self._seed_variables(), sidecar.state["seeds"]
            if len(variables) == len(seeds):
                for variable, seed in zip(variables, seeds, strict=True):
                    variable.assign(seed)
            else:
                missing.append("the layers' seed generators: there are more or fewer of them than before")
            missing += restore_rng(sidecar.state["rng"])
        self._mirroring.resumed(judge(missing, sidecar.environment if sidecar else None))


def _numbers(variable: Any) -> list[Any]:
    from keras.ops import convert_to_numpy  # noqa: PLC0415  # Keras is there: it calls us

    numbers: list[Any] = convert_to_numpy(variable).tolist()
    return numbers


def __getattr__(name: str) -> Any:
    """`BatonpassCallback`, made of Keras's own base class when it is first asked for."""
    if name != "BatonpassCallback":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from keras.callbacks import Callback  # noqa: PLC0415  # only when the class is used

    made = type("BatonpassCallback", (_Keras, Callback), {"__doc__": _Keras.__doc__, "__module__": __name__})
    globals()[name] = made
    return made
