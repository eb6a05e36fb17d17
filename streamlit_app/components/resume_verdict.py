"""Whether the resumes of a run went on exactly where it was: the steps that were run again tell. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batonpass.core.losses import run_again
from batonpass.core.metrics.resume_check import ResumeCheck, check_resumes
from batonpass.core.model import Session
from batonpass.core.resumption import HINT
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.curves import RunCurves
from batonpass.streamlit_app.wording import count, plural

_TIMING = re.compile(
    r"time|second|speed|throughput|duration|per[_ /]?s(?:ec)?\b|/s(?:ec)?$|_ms$|_s$|memory|temperature"
)
MOST_METRICS = 50


@dataclass(frozen=True, slots=True)
class ResumeVerdict:
    """What comparing has shown. The sentences are Markdown, made safe."""

    title: str
    icon: str
    color: str
    sentences: tuple[str, ...]


def compare_resumes(curves: RunCurves) -> list[ResumeCheck]:
    """The check of every metric that does not measure time or the machine, which differs by nature."""
    names = [name for name in curves.series if not measures_machine(name)][:MOST_METRICS]
    return check_resumes(curves.legs, {name: curves.series[name] for name in names})


def judge_resumes(checks: Sequence[ResumeCheck], sessions: Mapping[str, Session]) -> ResumeVerdict | None:
    """What to say of a run's resumes; None where no step was logged twice. `sessions` are all of the run.

    What is compared are the steps that were logged: with a value every 20 steps, or a machine whose last rows never arrived, there
    are fewer than were run again, so both numbers are said.
    """
    if not checks:
        return None
    by_metric: dict[str, list[ResumeCheck]] = {}
    for check in checks:
        by_metric.setdefault(check.metric, []).append(check)
    worst_first = sorted(by_metric.values(), key=lambda found: all(c.first_step is None for c in found))
    again = run_again(sessions.values())
    least = "At least " if again.is_least else ""
    ran = (f"{least}{plural(again.steps, 'step')} run again by resumes.",) if again.steps else ()
    said = (*ran, *(describe(found) for found in worst_first[:4]))
    if all(check.first_step is None for check in checks):
        steps = max(sum(c.compared for c in found) for found in by_metric.values())
        names = ", ".join(escaped(name, limit=40) for name in list(by_metric)[:6])
        sentence = f"{plural(steps, 'step')} logged before and after, bit for bit the same ({names})."
        return ResumeVerdict("Resume verified", ":material/verified:", "green", (*ran, sentence))
    if _promised(checks, sessions):
        why = f"A resume was labelled EXACT, so they should be the same. What to look for: {HINT}."
        return ResumeVerdict("Resume differs", ":material/difference:", "orange", (*said, why))
    why = "No resume among them was labelled EXACT, so other roundings are expected; a jump is not."
    return ResumeVerdict("Run again, not bit for bit", ":material/difference:", "gray", (*said, why))


def describe(checks: Sequence[ResumeCheck]) -> str:
    """What came out where one metric's steps were run again, over all resumes."""
    name, steps = escaped(checks[0].metric, limit=40), plural(sum(c.compared for c in checks), "step")
    bad = [c for c in checks if c.first_step is not None]
    if not bad:
        return f"{name}: {steps} logged before and after, bit for bit the same."
    one = min(bad, key=lambda c: c.first_step or 0)
    first = f"first at step {count(one.first_step or 0)}, {one.before:.6g} then and {one.after:.6g} now"
    different = count(sum(c.different for c in bad))
    return f"{name}: {steps} logged before and after, {different} of them with another value ({first})."


def measures_machine(metric: str) -> bool:
    """Whether a metric's name says that it measures time or the machine, not the training.

    >>> measures_machine("step_time"), measures_machine("it/s"), measures_machine("loss")
    (True, True, False)
    """
    return bool(_TIMING.search(metric[:200].lower()))


def _promised(checks: Sequence[ResumeCheck], sessions: Mapping[str, Session]) -> bool:
    """Whether a session that continued from one whose steps differ had promised the same bits."""
    differing = {check.session for check in checks if check.first_step is not None}
    records = (session.resumed_from for session in sessions.values())
    return any(record is not None and record.label == "EXACT" and record.session in differing for record in records)
