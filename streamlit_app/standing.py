"""How one run stands at one moment: its state, its newest durable checkpoint and what is at risk. Pure; from the records alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from batonpass.core.lineage import Candidate, Risk, resume_candidates, trace, work_at_risk
from batonpass.core.model import Session
from batonpass.core.states import State, Word, last_on_its_way, run_state, said_its_end, speaks_for
from batonpass.streamlit_app.overview import RunStory

_LIVE = (Word.LIVE, Word.QUIET)
_DONE = (Word.FINISHED, Word.PROVEN)
_BY_HAND = (Word.STOPPED, Word.CLOSED)


@dataclass(frozen=True, slots=True)
class RunStanding:
    """`session` is the one whose state is the run's, `trained` the newest that was more than started: its step and its risk are the run's.
    Mostly they are one; both are None in a run without any readable session.
    """

    state: State
    session: Session | None
    trained: Session | None
    candidates: tuple[Candidate, ...]
    gaps: tuple[str, ...]
    risk_steps: int
    """Steps behind the newest durable checkpoint that `trained` has told of. Of one that trains, or vanished, there are more: `since_s`."""
    risk_s: float
    since_s: float | None
    """Seconds since its last sign of life; None of a session that said itself how it ended: there, nothing came after."""
    step: int
    """The last finished step of `trained`."""
    top_step: int
    """The largest step that any session has finished, branches included."""

    @property
    def newest(self) -> Candidate | None:
        """The checkpoint that a resume would take now."""
        return next((c for c in self.candidates if not c.passed_over), None)

    @property
    def since_handed_over(self) -> Risk | None:
        """Steps and seconds of training since its newest checkpoint, where that is only handed over; None where it is proven, or another's.
        `risk_steps` counts from the newest proven one.
        """
        newest, trained = self.newest, self.trained
        if newest is None or newest.proven or trained is None or newest.session != trained.id:
            return None
        return Risk(max(trained.step - newest.step, 0), max(trained.trained_s - newest.listing.trained_s, 0.0))

    @property
    def is_live(self) -> bool:
        """A training process seems to live (a few missed beats included)."""
        return self.state.word in _LIVE

    @property
    def is_quiet(self) -> bool:
        """Some beats are missing: the network, or a machine that is gone."""
        return self.state.word is Word.QUIET

    @property
    def is_finished(self) -> bool:
        """Nothing is left to do."""
        return self.state.word in _DONE

    @property
    def wants_you(self) -> bool:
        """It could go on, and nobody is training it."""
        return self.session is not None and not self.is_live and not self.is_finished

    @property
    def order(self) -> int:
        """What wants attention first stands first: broken off, stopped by hand, live, finished, never begun."""
        if self.session is None:
            return 4
        return 3 if self.is_finished else 2 if self.is_live else 1 if self.state.word in _BY_HAND else 0


def read_standing(run: RunStory, now: datetime, *, mount: bool = False) -> RunStanding:
    """The run as it stood at `now`, the store's clock when it was read; `mount` as in `core.states`."""
    files = run.files
    sessions = [s.session for s in files.sessions]
    ages = {s.session.id: (now - s.heard_at).total_seconds() for s in files.sessions}
    lineage = trace(files.head, sessions)
    session, trained = speaks_for(lineage, ages, mount=mount), last_on_its_way(lineage)
    risk = work_at_risk(trained, arrived=files.arrived) if trained else None
    return RunStanding(
        state=run_state(files.head, sessions, ages, mount=mount, arrived=files.arrived),
        session=session,
        trained=trained,
        candidates=tuple(resume_candidates(files.head, sessions, deleted=files.deleted, arrived=files.arrived)),
        gaps=lineage.gaps,
        since_s=None if trained is None or said_its_end(trained) else max(0.0, ages[trained.id]),
        risk_steps=risk.steps if risk else 0,
        risk_s=risk.seconds if risk else 0.0,
        step=trained.step if trained else 0,
        top_step=max((s.step for s in sessions), default=0),
    )
