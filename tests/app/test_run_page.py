"""The Run page through its own door: links, ranges, search, comparing, checking, organising, forgetting."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from batonpass.core.errors import StoreUnreachableError
from batonpass.core.losses import Loss
from batonpass.core.metrics.resume_check import ResumeCheck
from batonpass.core.model import Annotations, Host, ResumeRecord, Session
from batonpass.streamlit_app.components.config_table import diff_configs
from batonpass.streamlit_app.components.errand_line import all_errands
from batonpass.streamlit_app.components.organise import merge_changes
from batonpass.streamlit_app.components.resume_verdict import judge_resumes
from batonpass.streamlit_app.errands import Errand, Errands
from batonpass.streamlit_app.repository import Repository
from batonpass.words import welcome

from .conftest import AppMaker, edit, words

CATS = "1a5e0000"
DIGITS = "3a5e0002"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
PATIENCE_S = 60.0


def open_link(app: AppMaker, store: Path, **query: Any) -> Any:
    """The Run page of cats-v2, opened by a link with these query parameters."""
    at = app(store)
    at.query_params["run"] = CATS
    for key, value in query.items():
        at.query_params[key] = value
    return at.switch_page("views/run.py").run()


def alt_of(at: Any) -> str:
    return at.get("echarts_chart")[0].proto.alt


def button(at: Any, label: str) -> Any:
    return next(b for b in at.button if b.label == label)


def test_a_live_run_says_how_often_it_saves_and_one_that_is_over_does_not(app: AppMaker, store: Path) -> None:
    assert "Saved every 5 min while it trains" in words(open_link(app, store))
    assert "Saved every" not in words(open_link(app, store, run=DIGITS))


def test_the_range_is_typed_said_and_left_again(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    at.number_input(key="from").set_value(24_000.0)
    at.number_input(key="to").set_value(26_000.0)
    at = at.run()
    assert "From step 24,000 to step 26,000" in words(at)
    at = button(at, "Show all").click().run()
    assert not at.exception
    assert "From step" not in words(at)
    assert at.number_input(key="from").value is None


def test_a_range_without_any_value_and_one_turned_round_are_said(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    at.number_input(key="from").set_value(1e9)
    at = at.run()
    assert "no value in this range" in words(at)
    at.number_input(key="to").set_value(5.0)
    at = at.run()
    assert "That range is empty, so all is shown" in words(at)


def test_another_axis_begins_without_the_range_of_the_last_one(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    at.number_input(key="from").set_value(24_000.0)
    at = at.run()
    at = at.selectbox(key="axis").select("hours of training").run()
    assert at.number_input(key="from").value is None


@pytest.mark.parametrize("tab", ["Table", "Curves"])
def test_choices_survive_looking_at_the_table_and_at_another_page(app: AppMaker, store: Path, tab: str) -> None:
    at = app(store, page="run", run=CATS)
    at.multiselect(key="metrics").set_value(["learning rate"])
    at.slider(key="weight").set_value(0.9)
    at.toggle(key="logx").set_value(True)
    at = at.run()
    at = at.segmented_control(key="as").select(tab).run()
    at = at.switch_page("views/machines.py").run().switch_page("views/run.py").run()
    assert not at.exception
    assert at.multiselect(key="metrics").value == ["learning rate"]
    assert at.slider(key="weight").value == 0.9
    assert at.toggle(key="logx").value is True


def test_a_metric_that_the_next_run_has_not_gives_way_to_its_own(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    at.session_state["metrics"] = ["gone"]
    at = at.run()
    assert not at.exception
    assert at.multiselect(key="metrics").value == ["loss", "validation loss"]


def test_a_part_is_made_when_its_tab_is_first_opened_and_stays(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS, opened=False)
    assert len(at.dataframe) == 1
    assert not at.text_area
    at.session_state["part"] = "Notes"
    at = at.run()
    field = at.text_area[0].key
    at.session_state["part"] = "Config"
    at = at.run()
    assert not at.exception
    assert at.text_area[0].key == field, "still there, with what was typed into it"


def test_controls_that_few_touch_are_made_when_they_are_looked_at_or_linked_to(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS, opened=False)
    drawn = at.get("echarts_chart")[0].proto
    assert not at.toggle
    at.session_state["view"] = True
    at = at.run()
    assert not at.exception
    assert at.toggle(key="ghosts").value is True
    assert at.get("echarts_chart")[0].proto.spec == drawn.spec, "untouched they change nothing"
    linked = app(store, page="run", run=CATS, opened=False)
    linked.query_params["log"] = "true"
    linked = linked.run()
    assert linked.toggle(key="log").value is True


def test_a_note_leaves_its_field_once_it_is_kept_and_not_before(
    app: AppMaker, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = app(store, page="run", run=CATS)
    with monkeypatch.context() as away:
        away.setattr(Repository, "add_note", _refuse)
        at.text_area[0].set_value("a thought")
        at = button(at, "Keep this note").click().run()
    assert "Not kept" in words(at) + " ".join(e.value for e in at.error)
    assert at.text_area[0].value == "a thought"
    at.text_area[0].set_value("a thought")
    at = button(at, "Keep this note").click().run()
    assert not at.text_area[0].value
    assert "a thought" in words(at)


def _refuse(*_: object) -> None:
    raise StoreUnreachableError("no answer", hint="look at the network")


def test_a_search_draws_what_it_finds_and_says_calmly_what_is_no_pattern(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    at.session_state["find"] = "rate$|^loss"
    at = at.run()
    at = button(at, "Draw 2 matches").click().run()
    assert at.multiselect(key="metrics").value == ["learning rate", "loss"]
    at = at.text_input(key="find").set_value("(").run()
    assert not at.exception
    assert "That is not a pattern" in words(at)
    assert button(at, "No match").disabled


def test_runs_beside_are_drawn_and_their_settings_compared(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    at = at.multiselect(key="beside").set_value([DIGITS]).run()
    assert not at.exception
    assert "beside 1 other run" in alt_of(at)
    diff = next(t.value for t in at.dataframe if "Setting" in t.value.columns and "digits-baseline" in t.value.columns)
    by_name = {row["Setting"]: (row["cats-v2"], row["digits-baseline"]) for _, row in diff.iterrows()}
    assert by_name["learning_rate"] == ("0.001", "0.01")
    assert by_name["batch_size"] == ("64", "not set")
    at = at.segmented_control(key="as").select("Table").run()
    assert set(at.dataframe[0].value["run"]) <= {"cats-v2", "digits-baseline"}


def test_settings_inside_settings_are_compared_one_by_one() -> None:
    rows, same = diff_configs(
        [("a", {"opt": {"lr": 1, "eps": 2}, "x": [1]}), ("b", {"opt": {"lr": 3, "eps": 2}, "x": [1]})]
    )
    assert rows == [{"Setting": "opt.lr", "a": "1", "b": "3"}]
    assert same == 2


def test_one_chart_of_six_thousand_values_is_a_small_message(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    sizes = []
    for metrics in (["loss"], ["loss", "learning rate"]):
        at = at.multiselect(key="metrics").set_value(metrics).run()
        sizes.append(at.get("echarts_chart")[0].proto.ByteSize())
    assert sizes[1] - sizes[0] < 25_000
    assert sizes[0] < 25_000 + 6_000, "the frame of the chart, once"


def ended(at: Any) -> Any:
    """The page once the errands that it began have ended."""
    for errand in all_errands()._errands.values():
        assert errand.finished.wait(PATIENCE_S)
    return at.run()


@pytest.mark.parametrize("how", ["Check", "Check every byte"])
def test_a_whole_checkpoint_is_checked_and_a_damaged_one_is_named(app: AppMaker, store: Path, how: str) -> None:
    at = app(store, page="run", run=CATS)
    at = ended(button(at, how).click().run())
    assert not at.exception
    assert any("All as it was published" in s.value for s in at.success)
    damaged = next((store / "runs").glob("cats*/files/*51000-model*"))
    body = bytearray(damaged.read_bytes())
    body[-1] ^= 1
    damaged.write_bytes(bytes(body) if how == "Check every byte" else bytes(body[:-5]))
    at = ended(button(at, how).click().run())
    assert not any("All as it was published" in s.value for s in at.success)
    assert any("Not all of it is whole" in w.value and "model" in w.value for w in at.warning)


def test_the_wrong_name_forgets_nothing(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=DIGITS)
    typed = next(t for t in at.text_input if t.label.startswith("Type the run"))
    typed.set_value("digits")
    at = button(at, "Forget this run").click().run()
    assert "nothing was deleted" in words(at)
    assert list((store / "runs").glob("digits*"))


def test_the_name_typed_forgets_the_run_and_the_page_goes_on_with_another(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=DIGITS)
    next(t for t in at.text_input if t.label.startswith("Type the run")).set_value("digits-baseline")
    at = ended(button(at, "Forget this run").click().run())
    assert not at.exception
    assert not any(p.is_file() for p in (store / "runs").glob("digits*/**/*"))
    assert "is gone" in words(at)
    assert all("digits" not in option for option in at.selectbox[0].options)
    assert "is gone" not in words(at.run()), "it is said once"


def test_a_run_that_may_be_training_is_not_forgotten_without_saying_so(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    next(t for t in at.text_input if t.label.startswith("Type the run")).set_value(CATS)
    at = ended(button(at, "Forget this run").click().run())
    assert any("holds this run and may live" in w.value.replace("\\", "") for w in at.warning)
    assert list((store / "runs").glob("cats*/files/*"))
    at.checkbox(key="forget-force").check()
    next(t for t in at.text_input if t.label.startswith("Type the run")).set_value(CATS)
    at = ended(button(at, "Forget this run").click().run())
    assert not list((store / "runs").glob("cats*/files/*"))


def test_the_sample_cannot_be_forgotten(app: AppMaker) -> None:
    at = app(page="run", look="sample")
    assert not any(b.label == "Forget this run" for b in at.button)


def test_two_tabs_that_change_different_things_keep_both() -> None:
    shown = Annotations(tags=("a",), goal_steps=10)
    other_tab = Annotations(tags=("a", "b"), goal_steps=10)
    mine = Annotations(title="new", tags=("a",), goal_steps=10)
    assert merge_changes(shown, mine, other_tab) == Annotations(title="new", tags=("a", "b"), goal_steps=10)


def test_a_run_is_renamed_and_archived(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=DIGITS)
    next(t for t in at.text_input if t.label == "Title").set_value("The *baseline*")
    next(c for c in at.checkbox if c.label.startswith("Archived")).check()
    at = button(at, "Keep").click().run()
    assert not at.exception
    assert any("The *baseline* · archived" in option for option in at.selectbox[0].options)
    text = (next((store / "runs").glob("digits*")) / "annotations.json").read_text()
    assert '"archived": true' in text


def session(record: ResumeRecord | None = None) -> Session:
    return Session("b", "r", 1, "", Host("colab", "m", "1"), NOW, NOW, resumed_from=record)


def test_resumes_are_verified_only_where_every_step_came_out_the_same() -> None:
    exact = ResumeRecord("a", "k", 5, 5, "EXACT")
    same = [ResumeCheck("loss", "a", 10, 0), ResumeCheck("acc", "a", 10, 0)]
    verdict = judge_resumes(same, {"b": session(exact)})
    assert verdict is not None
    assert (verdict.title, verdict.color) == ("Resume verified", "green")
    assert verdict.sentences == ("10 steps logged before and after, bit for bit the same (loss, acc).",)
    broken = [*same, ResumeCheck("lr", "a", 10, 1, 7, 1.0, 2.0)]
    verdict = judge_resumes(broken, {"b": session(exact)})
    assert verdict is not None
    assert verdict.title == "Resume differs"
    assert "step 7" in verdict.sentences[0]
    verdict = judge_resumes(broken, {"b": session(ResumeRecord("a", "k", 5, 5, "SAME DATA"))})
    assert verdict is not None
    assert verdict.title == "Run again, not bit for bit"
    assert judge_resumes([], {}) is None


def test_steps_run_again_are_counted_as_the_notebook_counts_them_and_steps_compared_as_what_they_are() -> None:
    """A machine that vanished at step 158 after a checkpoint at 100 has 58 steps run again; one of them may never have been logged."""
    record = ResumeRecord("a", "k", 100, 100, "EXACT")
    left = replace(session(), id="a", term=1, step=158)
    now = replace(session(record), term=2, step=300)
    verdict = judge_resumes([ResumeCheck("loss", "a", 57, 0)], {"a": left, "b": now})
    assert verdict is not None
    assert verdict.sentences == (
        "At least 58 steps run again by resumes.",
        "57 steps logged before and after, bit for bit the same (loss).",
    )
    assert "58 steps" in welcome(record, Loss(58, 4.0, "a", cut_off=True), goal_steps=None)


def test_the_page_says_what_differs_after_a_resume(app: AppMaker, store: Path) -> None:
    said = words(app(store, page="run", run=CATS))
    assert "174 steps logged before and after, 174 of them with another value" in said
    assert "learning rate: 174 steps logged before and after, bit for bit the same" in said


def test_what_a_session_ended_with_stands_in_full_in_the_last_column(app: AppMaker, store: Path) -> None:
    for path in (store / "runs").glob("digits*/sessions/*.json"):
        edit(path, resumed_from=None, resume_proof=None)
    table = app(store, page="run", run="2a5e0001").dataframe[0].value
    usual = ["", "GPU", "Where", "Began", "Trained", "Steps", "Role", "How it stands", "Resume"]
    assert list(table.columns) == [*usual, "In full"]
    assert any("OutOfMemoryError" in text for text in table["In full"])
    assert list(app(store, page="run", run=DIGITS).dataframe[0].value.columns) == usual


@pytest.mark.parametrize(
    ("label", "said", "in_full"),
    [
        ("EXACT", "EXACT, 3 steps compared", "EXACT: steps 7 to 9 reproduced bit for bit (loss 0.5)"),
        ("", "not finished", ""),
    ],
)
def test_the_resume_of_each_session_is_its_label_and_what_was_proven(
    app: AppMaker, store: Path, label: str, said: str, in_full: str
) -> None:
    second = sorted((store / "runs").glob("digits*/sessions/*.json"))[1]
    record = json.loads(second.read_text())["resumed_from"]
    proof = {"data": "same", "steps": 3, "first_step": 7, "last_step": 9, "metric": "loss", "value": 0.5, "before": 0.5}
    edit(second, resumed_from={**record, "label": label}, resume_proof=proof)
    table = app(store, page="run", run=DIGITS).dataframe[0].value
    assert list(table["Resume"]) == ["began here", said]
    assert "In full" not in table if not in_full else list(table["In full"]) == ["", in_full]


def test_two_tabs_never_do_the_same_errand_twice_at_once() -> None:
    errands, go = Errands(), threading.Event()

    def work(errand: Errand) -> list[str]:
        assert go.wait(PATIENCE_S)
        return ["done"]

    first = errands.start("key", work)
    assert errands.start("key", work) is first
    go.set()
    assert first.finished.wait(PATIENCE_S)
    assert first.outcome == ("done",)
    assert errands.start("key", work) is not first


def test_an_errand_that_is_stopped_or_fails_says_so() -> None:
    errands, go = Errands(), threading.Event()

    def stopped(errand: Errand) -> list[str]:
        assert go.wait(PATIENCE_S)
        errand.tell("reading", 5, 10)
        return ["never"]

    errand = errands.start("a", stopped)
    errand.stop()
    go.set()
    assert errand.finished.wait(PATIENCE_S)
    assert errand.outcome == ()
    assert "Stopped" in errand.problem
    failed = errands.start("b", lambda errand: [str(1 // 0)])
    assert failed.finished.wait(PATIENCE_S)
    assert "ZeroDivisionError" in failed.problem


def test_a_store_that_is_away_is_said_by_the_errand_and_not_by_a_traceback(app: AppMaker, store: Path) -> None:
    at = app(store, page="run", run=CATS)
    shutil.rmtree(store)
    at = ended(button(at, "Check").click().run())
    assert not at.exception
    assert at.warning


def test_the_sample_is_left_from_a_page_that_keeps_choices_in_its_address(app: AppMaker) -> None:
    at = app(page="run", look="sample")
    at = at.slider(key="weight").set_value(0.9).run()
    at = button(at, "Leave the sample").click().run()
    assert not at.exception
    assert "Simulated" not in words(at)


HOSTILE_QUERIES: dict[str, list[str]] = {
    "metrics": ["<img src=x onerror=alert(1)>", "../../etc/passwd", "", "w" * 5000],
    "axis": ["nonsense", "-1", "3", ""],
    "from": ["nan", "inf", "-inf", "1e400", "abc", "-5", ""],
    "to": ["nan", "1e308", "0x10", "٣"],
    "since": ["9999-12-31T23:59", "0001-01-01", "now", ""],
    "weight": ["2", "-1", "nan", "x"],
    "log": ["maybe", "1", ""],
    "best": ["worst"],
    "beside": ["nobody", CATS],
    "find": ["(", "(a+)+$", "x" * 5000],
    "as": ["PDF"],
    "run": ["../../x", "9" * 400],
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in HOSTILE_QUERIES.items() for v in values])
def test_a_link_with_nonsense_is_read_calmly(app: AppMaker, store: Path, key: str, value: str) -> None:
    """Clock time with the times, so that their inputs are there."""
    query = {key: value} | ({"axis": "clock time"} if key == "since" else {})
    at = open_link(app, store, **query)
    assert not at.exception
    assert at.title[0].value == "Run"
    assert at.get("echarts_chart") or key in ("metrics", "find")


def test_a_link_shows_the_same_picture(app: AppMaker, store: Path) -> None:
    query = {"metrics": ["learning rate"], "axis": "epoch", "from": "10", "to": "20", "weight": "0.25", "log": "true"}
    at = open_link(app, store, **query, beside=["digits-baseline"])
    assert at.multiselect(key="metrics").value == ["learning rate"]
    assert at.selectbox(key="axis").value == "epoch"
    assert (at.number_input(key="from").value, at.number_input(key="to").value) == (10.0, 20.0)
    assert at.slider(key="weight").value == 0.25
    assert at.toggle(key="log").value is True
    assert at.multiselect(key="beside").value == [DIGITS]
    assert "beside 1 other run" in alt_of(at)


def test_a_hostile_run_can_be_compared_searched_and_tabled(app: AppMaker, broken: Path) -> None:
    at = app(broken, page="run", run="2a5e0001")
    others = list(at.multiselect(key="beside").options)
    at = at.multiselect(key="beside").set_value([CATS]).run()
    assert not at.exception
    assert others
    at.session_state["find"] = "."
    at = at.run()
    at = at.segmented_control(key="as").select("Table").run()
    assert not at.exception
    edit(
        next((broken / "runs").glob("cats*")) / "run.json",
        config={"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": 1}}}}}}}},
    )
    assert not app(broken, page="run", run=CATS).exception


def test_a_link_with_more_metrics_than_are_drawn_draws_the_first_of_them(app: AppMaker, one_session: Path) -> None:
    names = [f"metric {i:02}" for i in range(20)]
    rows = [[i, 1 + i // 20, 0.0, 1.7e9 + i, i % 20, float(i)] for i in range(200)]
    for path in one_session.glob("runs/*/sessions/*.json"):
        edit(path, tail={"names": names, "rows": rows}, rows=200)
    at = app(one_session)
    at.query_params["metrics"] = names
    at = at.switch_page("views/run.py").run()
    assert not at.exception
    option = json.loads(at.get("echarts_chart")[0].proto.spec)
    assert len(option["grid"]) == 12 + 1, "and the bar of the sessions"
    assert at.text_input(key="find").value == "", "so many metrics have a place to search them"
