"""How a run stands while, or after, a session was only started: what was trained before it still counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from batonpass.core.model import End, EndKind
from batonpass.core.states import Word
from batonpass.streamlit_app.overview import RunStory, read_overview
from batonpass.streamlit_app.standing import read_standing
from batonpass.sync.stores import open_store


def only_started(run: RunStory, end: End | None) -> RunStory:
    """The run, taken over by a session that never attached."""
    *_, last = run.files.sessions
    new = replace(
        last.session,
        id="new",
        term=last.session.term + 1,
        step=0,
        steps_done=0,
        trained_s=0.0,
        rows=0,
        checkpoints=(),
        resumed_from=None,
        end=end,
    )
    head = replace(run.files.head, holder="new", sessions=(*run.files.head.sessions, "new"))
    return replace(run, files=replace(run.files, head=head, sessions=(*run.files.sessions, replace(last, session=new))))


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("kind", [None, EndKind.FAILED])
def test_a_start_that_did_nothing_changes_neither_step_nor_risk(
    store: Path, kind: EndKind | None, *, proven: bool
) -> None:
    overview = read_overview(open_store(store))
    run = next(r for r in overview.runs if r.name == "cats-v2")
    if not proven:
        handed = [
            replace(
                s,
                session=replace(s.session, checkpoints=tuple(replace(c, proven=False) for c in s.session.checkpoints)),
            )
            for s in run.files.sessions
        ]
        run = replace(run, files=replace(run.files, sessions=tuple(handed)))
    before = read_standing(run, overview.read_at)
    end = End(kind, overview.read_at, "NameError: name 'model' is not defined") if kind else None
    after = read_standing(only_started(run, end), overview.read_at)
    assert after.state.word is (Word.FAILED if kind else Word.LIVE)
    assert before.step > 0
    assert (before.since_handed_over is None) is proven
    for name in ("step", "risk_steps", "risk_s", "since_s", "since_handed_over"):
        assert getattr(after, name) == getattr(before, name), name
