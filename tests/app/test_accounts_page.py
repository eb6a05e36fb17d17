"""The Accounts page: hours, curves laid over one another, rests, units, prices and notes, as they are shown and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from batonpass.core import naming

from .account_history import write_history
from .conftest import HOSTILE, AppMaker, edit, words
from .tree import check_tree


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return write_history(tmp_path / "history")


def page(app: AppMaker, store: Path, label: str = "school") -> AppTest:
    at = app(store, page="accounts")
    return at.pills[0].set_value(label).run()


def chart(at: AppTest, place: int = 0) -> dict[str, object]:
    found: dict[str, object] = json.loads(at.get("echarts_chart")[place].proto.spec)
    return found


def names(option: dict[str, object]) -> list[str]:
    return [s["name"] for s in option["series"] if not s.get("silent")]  # type: ignore[attr-defined]


def press(at: AppTest, label: str) -> AppTest:
    at = next(b for b in at.button if b.label == label).click().run()
    assert not at.exception, at.exception
    return at


def test_hours_curve_rest_and_price_stand_with_their_n(app: AppMaker, history: Path) -> None:
    at = page(app, history)
    check_tree(at)
    said = words(at)
    for word in ("Last 24 hours", "Most at once", "Price per useful hour", "EUR", "Your log, not a promise", "n = "):
        assert word in said
    assert len(at.get("echarts_chart")) == 2
    assert names(chart(at))[0].startswith("school, n = ")


def test_other_accounts_are_laid_over_in_the_order_of_their_names(app: AppMaker, history: Path) -> None:
    at = page(app, history)
    at = at.segmented_control[0].set_value("account").run()
    check_tree(at)
    shown = [name.partition(",")[0] for name in names(chart(at))]
    assert shown == ["personal", "school", "work"]
    at = at.multiselect[0].set_value(["work"]).run()
    assert [name.partition(",")[0] for name in names(chart(at))] == ["school", "work"]
    table = str(at.dataframe[1].value)
    assert "Half gone after" in table
    assert "Still there at 3 h" in table


def test_one_hour_and_eight_hours_differ_in_the_table(app: AppMaker, history: Path) -> None:
    at = page(app, history)
    at = at.segmented_control[0].set_value("account").run()
    table = at.dataframe[1].value.set_index("")
    assert table.loc["Still there at 3 h", "school"].startswith("0 %")
    assert table.loc["Still there at 3 h", "work"].startswith("100 %")


@pytest.mark.parametrize("split", ["GPU", "provider"])
def test_an_accounts_own_stays_can_be_told_apart(app: AppMaker, history: Path, split: str) -> None:
    at = page(app, history, "work")
    at = at.segmented_control[0].set_value(split).run()
    check_tree(at)


def test_a_young_log_says_what_a_curve_needs(app: AppMaker, one_session: Path) -> None:
    at = app(one_session, page="accounts")
    check_tree(at)
    assert "A curve needs 5 stays" in words(at)
    assert "1 stay so far" in words(at)


def test_a_rate_of_ones_own_is_kept_goes_before_and_can_be_taken_back(app: AppMaker, history: Path) -> None:
    at = page(app, history)
    at.selectbox[0].set_value("L4")
    next(n for n in at.number_input if n.label.startswith("Units per hour")).set_value(2.5)
    at = press(at, "Keep this rate")
    path = history / naming.account_file("school")
    kept = json.loads(path.read_text())
    assert [(r["gpu"], r["per_hour"]) for r in kept["unit_rates"]] == [("L4", 2.5)]
    assert kept["units"] == 80.0
    assert "by you" in words(at)
    at.selectbox[0].set_value("L4")
    at = press(at, "Keep this rate")
    assert "Type the units per hour first" in words(at)
    assert json.loads(path.read_text())["unit_rates"]
    at.selectbox[0].set_value("L4")
    at = press(at, "Take my rate away")
    assert json.loads(path.read_text())["unit_rates"] == []


def test_changing_the_plan_keeps_the_rates(app: AppMaker, history: Path) -> None:
    rate = {"gpu": "L4", "per_hour": 2.5, "seen_at": "2026-11-01T00:00:00Z"}
    edit(history / naming.account_file("school"), unit_rates=[rate])
    at = page(app, history)
    at.text_input[0].input("Pro+")
    press(at, "Keep")
    kept = json.loads((history / naming.account_file("school")).read_text())
    assert kept["plan"] == "Pro+"
    assert kept["unit_rates"][0]["per_hour"] == 2.5


def test_a_changed_note_shows_what_it_said_before(app: AppMaker, history: Path) -> None:
    at = page(app, history)
    at.text_area[0].input("quiet at night")
    at = press(at, "Keep this note")
    at.text_area[1].input("loud at night")
    at = press(at, "Keep the change")
    said = words(at)
    assert "loud at night" in said
    assert "quiet at night" in said
    at.text_area[1].input("")
    at = press(at, "Keep the change")
    assert "loud at night" in words(at)
    assert any("Removed notes" in e.label for e in at.expander)


def test_hostile_rates_prices_and_labels_are_shown_as_text(app: AppMaker, history: Path) -> None:
    path = history / naming.account_file("school")
    rates = [{"gpu": HOSTILE, "per_hour": 1.0, "seen_at": "2026-11-01T00:00:00Z"}]
    edit(path, unit_rates=rates, price=1e300, units=1e300, currency=HOSTILE, plan=HOSTILE)
    for session in list((history / "runs").rglob("sessions/*.json"))[:8]:
        edit(session, account=HOSTILE, gpus=[{"name": HOSTILE, "memory_bytes": 1}], trained_s=1e300)
    at = app(history, page="accounts")
    check_tree(at)
    for label in [HOSTILE, "school"]:
        at = at.pills[0].set_value(label).run()
        check_tree(at)
        for split in ("account", "GPU", "provider"):
            at = at.segmented_control[0].set_value(split).run()
            check_tree(at)


def test_a_session_that_cannot_be_read_is_named_because_the_figures_lack_it(app: AppMaker, history: Path) -> None:
    next((history / "runs").rglob("sessions/*.json")).write_text("{")
    at = app(history, page="accounts")
    check_tree(at)
    assert any("could not be read" in e.label for e in at.expander)
