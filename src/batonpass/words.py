"""The lines the notebook prints about a run: what is continued, what is safe. Pure, from data to text."""

from __future__ import annotations

from batonpass.core.amounts import duration
from batonpass.core.losses import Loss
from batonpass.core.model import ResumeRecord
from batonpass.sync.session_status import SessionStatus


def welcome(record: ResumeRecord, loss: Loss, *, goal_steps: int | None) -> str:
    """What `attach` says after a restore."""
    goal = f" of {goal_steps:,}" if goal_steps else ""
    is_there = goal_steps is not None and record.step >= goal_steps
    head = f"at its goal, step {record.step:,}" if is_there else f"continuing at step {record.step + 1:,}"
    lines = [f"batonpass: {head}{goal}; {_lost(record, loss)}"]
    if loss.unread:
        lines.append(
            f"  the file of session {', '.join(loss.unread)} could not be read, twice: it came later and may have got further. "
            "What it published stays; once it can be read, choose its checkpoint on the app's resume page"
        )
    lines += [f"  passed over: {reason}" for reason in record.skipped]
    lines.append(f"  resume: {record.label}" + ("" if not record.missing else ": " + "; ".join(record.missing)))
    if record.label != "PARTIAL":
        lines.append("  so far: whether the data is the same is seen at the first batch")
    return "\n".join(lines)


def confirmation(record: ResumeRecord, *, seen: bool) -> str:
    """What is said once the data was compared and no doubt is left; `seen` where the next batch's samples could be known in advance."""
    if not seen:
        return f"batonpass: {record.label}: the dataset is the same; which samples come next cannot be told in advance with this loader"
    return f"batonpass: {record.label}: the next batch holds the samples that it would have held"


def _lost(record: ResumeRecord, loss: Loss) -> str:
    """Never "nothing lost" while a later session is unread: nobody knows that."""
    if loss.steps:
        least = "at least " if loss.is_least else ""
        again = "step ({}) runs again" if loss.steps == 1 else "steps ({}) run again"
        return f"{least}{loss.steps:,} {again.format(duration(loss.seconds))}: {record.reason}"
    if loss.unread:
        return "what a later session did is not known"
    if loss.cut_off:
        return "nothing lost up to the last session's last sign of life; what it did after that runs again"
    return "nothing lost"


def farewell(status: SessionStatus, *, safe: bool, reached: bool, goal_steps: int | None) -> str:
    """What `finish` says."""
    goal = f" of {goal_steps:,}" if goal_steps else ""
    head = f"batonpass: {'finished' if reached else 'session ended'} at step {status.step:,}{goal}"
    durable = status.durable
    if durable is None and safe and status.began_at and not status.steps_at_risk:
        return f"{head}; nothing was trained since step {status.began_at:,}, which is on the store: safe to close"
    if durable is None or not safe or status.steps_at_risk:
        return _not_safe(status, head)
    if not durable.proven:
        return f"{head}; step {durable.step:,} is handed over to the mounted Drive, its arrival is not proven: leave the machine running a few minutes"
    return f"{head}; step {durable.step:,} is on the store, verified: safe to close"


def _not_safe(status: SessionStatus, head: str) -> str:
    """What is where, why, and what to do."""
    durable = status.durable.step if status.durable else status.began_at
    there = f"on the store: step {durable:,}" if durable else "no checkpoint reached the store"
    lane = status.lanes["blobs"]
    why = "" if lane["ok"] else f"\n  why: {lane['kind']}: {lane['error']} ({lane['hint']})"
    return (
        f"{head}; NOT SAFE YET, {there}. The last {status.steps_at_risk:,} steps are only on this machine{why}\n"
        "  what to do: keep this machine, and run the cell with batonpass.start(...) again when the cause is gone: it sends what is left here"
    )


def start_line(*, name: str, store: str, account: str, goal_steps: int | None, run_id: str, root_id: str) -> str:
    """The line that replaces the first day's: with ids it must resume, it never creates."""
    arguments = [repr(name), f"store={store!r}"]
    if account:
        arguments.append(f"account={account!r}")
    if goal_steps is not None:
        arguments.append(f"goal_steps={goal_steps!r}")
    arguments += [f"run_id={run_id!r}", f"root_id={root_id!r}"]
    return f"run = bp.start({', '.join(arguments)})"
