"""What a callback needs to go on where a run stood: the newest durable checkpoint in the trainer's folder, and how exact that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batonpass.core.errors import NotFoundError, NothingToRestoreError, RunNotFoundError, UsageError
from batonpass.watching import open_for

if TYPE_CHECKING:
    from batonpass.core.model import ResumeRecord
    from batonpass.core.storage import Store
    from batonpass.sync.placing import Placed
    from batonpass.sync.reading import RunFiles


def find_resume(
    run: str,
    *,
    folder: Path,
    store: str | Path | None,
    from_scratch: bool,
    say: Callable[[str], None],
) -> Placed | None:
    """The newest durable checkpoint of the run, brought into `folder`. None on the first day, or with `from_scratch` where nothing restores.

    NothingToRestoreError when the run was trained before and nothing restores; UsageError for a run that `batonpass.start` trains;
    otherwise the errors of `batonpass.restore`. A store that does not answer raises: it is never taken for an empty one.
    """
    from batonpass.sync.placing import place_newest  # noqa: PLC0415  # `import batonpass` stays light

    opened, _ = open_for(store)
    files = _read(opened, run)
    if files is None:
        say(f"batonpass: {run} is NEW on {opened.url}: nothing to resume from yet")
        return None
    try:
        placed = place_newest(opened, files, folder, say=say)
    except NothingToRestoreError as error:
        reached = _reached(files)
        if reached is None or from_scratch:
            say(
                f"batonpass: {run}: nothing to resume from" + (": beginning from zero, as you asked" if reached else "")
            )
            return None
        raise NothingToRestoreError(
            f"{run} was trained before ({reached}), and no checkpoint of it can be brought back:\n{error.message}",
            hint="wait until the store has caught up and run this again, or resume_from(from_scratch=True) to begin from zero",
        ) from error
    say(f"batonpass: {run}: step {placed.record.step:,} is back in {folder}")
    return placed


def _read(store: Store, run: str) -> RunFiles | None:
    """What the run holds; None where there is no such run yet."""
    from batonpass.sync.reading import read_run  # noqa: PLC0415  # `import batonpass` stays light
    from batonpass.sync.root import open_root  # noqa: PLC0415
    from batonpass.sync.twins import find_run  # noqa: PLC0415
    from batonpass.sync.watch_join import KIND  # noqa: PLC0415

    try:
        open_root(store, create=False)
        folder = find_run(store, run)
    except (NotFoundError, RunNotFoundError):
        return None
    files = read_run(store, folder)  # what of a run that is there has not arrived raises: it is not a new one
    if files.info.kind != KIND:
        raise UsageError(
            f"{files.info.name} is trained through batonpass.start", hint="choose another name for this trainer's run"
        )
    return files


def _reached(files: RunFiles) -> str | None:
    """How far the run came, in words; None where nobody trained anything."""
    sessions = [each.session for each in files.sessions]
    unread = len(files.head.sessions) - len(sessions)
    if unread > 0:
        return f"the files of {unread} of its sessions have not arrived"
    if not any(s.step or s.rows or s.checkpoints for s in sessions):
        return None
    return f"to step {max(s.step for s in sessions):,} or further"


@dataclass(frozen=True, slots=True)
class Exactness:
    """EXACT, SAME DATA or PARTIAL, with the reasons."""

    label: str
    reasons: tuple[str, ...]

    def sentence(self, step: int) -> str:
        """For the user."""
        return f"batonpass: resumed at step {step:,}: {self.label}" + "".join(f"\n  - {each}" for each in self.reasons)

    def note(self, record: ResumeRecord) -> ResumeRecord:
        """The same for the session's file."""
        return replace(record, label=self.label, missing=self.reasons)


def judge(missing: Iterable[str], environment: Mapping[str, str] | None) -> Exactness:
    """`environment` is where the checkpoint was made (as in its side-car), None where nobody noted it."""
    from batonpass.core.training.environment import environment as here  # noqa: PLC0415  # torch is there by now
    from batonpass.core.training.environment import environment_differences  # noqa: PLC0415
    from batonpass.core.training.restore import EXACT, PARTIAL, SAME_DATA  # noqa: PLC0415

    lacking = list(dict.fromkeys(missing))
    if environment is None:
        lacking.append("it was saved without this callback: what its files lack was not added")
    if lacking:
        return Exactness(PARTIAL, tuple(lacking))
    differences = environment_differences(dict(environment or {}), here())
    return Exactness(SAME_DATA if differences else EXACT, tuple(differences))


def missing_in(path: Path) -> tuple[str, ...]:
    """What the checkpoint at `path` lacks, as far as its files tell."""
    from batonpass.sync.foreign import what_is_missing  # noqa: PLC0415  # `import batonpass` stays light

    names: list[Any] = [p.relative_to(path).as_posix() for p in path.rglob("*")] if path.is_dir() else [path.name]
    return what_is_missing(path, names)
