"""The lines the notebook prints about a run: what is continued, what is safe. Pure, from data to text."""

from __future__ import annotations

from batonpass.core.amounts import duration
from batonpass.core.model import ResumeRecord
from batonpass.sync.active import SessionStatus


def welcome(record: ResumeRecord, *, goal_steps: int | None, lost_steps: int, lost_s: float) -> str:
    """What `attach` says after a restore."""
    goal = f" of {goal_steps:,}" if goal_steps else ""
    lost = f"{lost_steps:,} steps ({duration(lost_s)}) run again: {record.reason}" if lost_steps else "nothing lost"
    lines = [f"batonpass: continuing at step {record.step + 1:,}{goal}; {lost}"]
    lines += [f"  passed over: {reason}" for reason in record.skipped]
    lines.append(f"  resume: {record.label}" + ("" if not record.missing else ": " + "; ".join(record.missing)))
    return "\n".join(lines)


def farewell(status: SessionStatus, *, safe: bool, reached: bool, goal_steps: int | None) -> str:
    """What `finish` says."""
    goal = f" of {goal_steps:,}" if goal_steps else ""
    head = f"batonpass: {'finished' if reached else 'session ended'} at step {status.step:,}{goal}"
    durable = status.durable
    if durable is None:
        return f"{head}; no checkpoint reached the store"
    if not safe or status.steps_at_risk:
        return (
            f"{head}; on the store: step {durable.step:,}. The last {status.steps_at_risk:,} steps are only on this machine; "
            "they are sent by the next start here"
        )
    if not durable.proven:
        return f"{head}; step {durable.step:,} is handed over to the mounted Drive, its arrival is not proven: leave the machine running a few minutes"
    return f"{head}; step {durable.step:,} is on the store, verified: safe to close"


def start_line(*, name: str, store: str, account: str, goal_steps: int | None, run_id: str, root_id: str) -> str:
    """The line that replaces the first day's: with ids it must resume, it never creates."""
    arguments = [repr(name), f"store={store!r}"]
    if account:
        arguments.append(f"account={account!r}")
    if goal_steps is not None:
        arguments.append(f"goal_steps={goal_steps!r}")
    arguments += [f"run_id={run_id!r}", f"root_id={root_id!r}"]
    return f"run = bp.start({', '.join(arguments)})"
