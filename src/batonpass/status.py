"""How safe a run is now: numbers for programs, a card for people. In a notebook, `run.status()` as a cell's last line shows the card."""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.card import Card, status_card
from batonpass.core.amounts import duration
from batonpass.core.interval import Interval
from batonpass.core.progress import read_moving
from batonpass.core.resumption import is_defect, resume_words
from batonpass.sync.session_status import SessionStatus


@dataclass(frozen=True, slots=True)
class RunStatus:
    """What `run.status()` returns. `str()` is the card as text; a notebook shows it as HTML."""

    name: str
    step: int
    """The last finished step."""
    goal_steps: int | None
    durable_step: int | None
    """The step of the newest checkpoint on the store that this session made or resumed from; None before the first."""
    durable_age_s: float | None
    """Seconds since that checkpoint was taken."""
    proven: bool
    """The store itself answered for every byte of it, or another reader's receipt; False where it was only handed over to a mounted Drive."""
    steps_at_risk: int
    seconds_at_risk: float
    """Training time since that checkpoint, in seconds."""
    branch: str | None
    """Why this session does not hold the run; None while it does."""
    sending: str
    """What is on its way to the store now, how fast and how long still; empty when nothing is."""
    saves: str
    """How often it is saved, and why so; empty before `attach`."""
    resume: str
    """How the resume went, and what of it is proven; empty where nothing was resumed."""
    problems: tuple[str, ...]
    """What does not work at the moment, with what to do, one sentence each."""

    @property
    def card(self) -> Card:
        """The status card."""
        return status_card(
            name=self.name,
            step=self.step,
            goal_steps=self.goal_steps,
            durable_step=self.durable_step,
            durable_age_s=self.durable_age_s,
            proven=self.proven,
            steps_at_risk=self.steps_at_risk,
            seconds_at_risk=self.seconds_at_risk,
            branch=self.branch,
            sending=self.sending,
            saves=self.saves,
            resume=self.resume,
            problems=self.problems,
        )

    def __str__(self) -> str:
        return self.card.text

    def _repr_html_(self) -> str:
        return self.card.html


def describe(
    status: SessionStatus, *, name: str, goal_steps: int | None, saving: str, interval: Interval | None
) -> RunStatus:
    """The session's numbers as the user sees them; `saving` is why the last save failed, or empty."""
    problems = [f"saving: {saving}"] if saving else []
    if status.twins:
        problems.append(
            f"another run of this name exists ({', '.join(status.twins)}): start with run_id= to say which one is meant"
        )
    if status.conflicts:
        copies = ", ".join(status.conflicts[:5])
        problems.append(
            f"two machines wrote one file of this run on the mounted Drive ({copies}): see `batonpass doctor`"
        )
    resume = resume_words(status.resumed, status.proof) if status.resumed else ""
    if is_defect(status.resumed, status.proof):
        problems.append(f"resume {resume}")
    for lane in ("blobs", "beat"):
        state = status.lanes[lane]
        if not state["ok"] and not any(state["error"] in problem for problem in problems):
            then = (
                "the next start on this machine sends it"
                if status.closed
                else f"the next in {state['next_try_s']:.0f} s"
            )
            problems.append(
                f"{state['kind']}: {state['error']} ({state['hint']}); {state['failures']} attempts so far, {then}"
            )
        if state["stuck"]:
            problems.append("the background service has not moved for a quarter of an hour: the store does not answer")
    return RunStatus(
        name=name,
        step=status.step,
        goal_steps=goal_steps,
        durable_step=status.durable.step if status.durable else (status.began_at or None),
        durable_age_s=status.durable_age_s,
        proven=status.durable.proven if status.durable else True,
        steps_at_risk=status.steps_at_risk,
        seconds_at_risk=status.seconds_at_risk,
        branch=status.branch,
        sending=read_moving(status.lanes.get("sending")).words,
        saves=f"every {duration(interval.every_s)}: {interval.because}" if interval is not None else "",
        resume=resume,
        problems=tuple(problems),
    )
