"""Somebody else's Drive: whatever stands in its files is shown as text, and every page stays usable."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from .conftest import PAGES, AppMaker
from .hostile import (
    EDGES,
    TEXTS,
    TIMES,
    add_hostile_metrics,
    number_poison,
    poison,
    text_poison,
    time_poison,
)
from .tree import ACTIVE, check_elements, check_tree

RUN = "1a5e0000"


def look_at(app: AppMaker, store: Path, page: str) -> AppTest:
    at = app(store, page=page, run=RUN)
    check_tree(at)
    return at


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", TEXTS)
def test_any_text_in_any_file_is_only_text(app: AppMaker, store: Path, page: str, name: str) -> None:
    poison(store, text_poison(TEXTS[name]))
    look_at(app, store, page)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("seed", range(12))
def test_any_number_in_any_file_is_borne(app: AppMaker, store: Path, page: str, seed: int) -> None:
    poison(store, number_poison(seed, share=(0.0005, 0.003, 0.01, 0.1)[seed % 4]))
    look_at(app, store, page)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("times", [TIMES, EDGES], ids=["no clock's", "at the edges"])
def test_any_time_in_any_file_is_borne(app: AppMaker, store: Path, page: str, times: tuple[str, ...]) -> None:
    poison(store, time_poison(times, seed=3))
    look_at(app, store, page)


@pytest.mark.parametrize("axis", ["step", "epoch", "hours of training", "clock time"])
@pytest.mark.parametrize("how", ["Curves", "Table"])
def test_hostile_metrics_are_drawn_and_listed_on_every_axis(app: AppMaker, store: Path, axis: str, how: str) -> None:
    add_hostile_metrics(store, "cats")
    at = look_at(app, store, "run")
    at = at.selectbox(key="axis").select(axis).run()
    check_tree(at)
    check_tree(at)
    for log in (True, False):
        at = at.toggle(key="log").set_value(log).run()
        check_tree(at)
    if how == "Table":
        at = at.segmented_control(key="as").select("Table").run()
        check_tree(at)


def test_no_download_has_a_name_that_is_a_path(app: AppMaker, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    real = st.download_button

    def watched(*args: Any, **kwargs: Any) -> Any:
        names.append(kwargs["file_name"])
        return real(*args, **kwargs)

    monkeypatch.setattr(st, "download_button", watched)
    poison(store, text_poison(TEXTS["paths"]))
    at = look_at(app, store, "run")
    at.segmented_control(key="as").select("Table").run()
    look_at(app, store, "resume")
    assert names
    for name in names:
        assert Path(name).name == name, name
        assert not set(name) & set('\\/:*?"<>|\0\n'), name
        assert name.strip(". ") == name, name


def test_what_is_kept_on_this_computer_stays_in_its_folder(app: AppMaker, store: Path) -> None:
    poison(store, lambda field, leaf: "../../../escaped" if field in ("sha256", "root_id", "label") else leaf)
    home = Path(os.environ["BATONPASS_HOME"])
    before = {p for p in home.parent.rglob("*") if home not in p.parents and p != home}
    for page in PAGES:
        look_at(app, store, page)
    after = {p for p in home.parent.rglob("*") if home not in p.parents and p != home}
    assert {p for p in after - before if store not in p.parents} == set()


BAD: dict[str, Callable[[], object]] = {
    "html": lambda: st.html("<b>x</b>"),
    "allowed html": lambda: st.markdown("x", unsafe_allow_html=True),
    "chart without words": lambda: st.echarts_chart({"series": [{"type": "line", "data": [1, 2]}]}),
    "table without words": lambda: st.dataframe([{"a": 1}]),
    "image without words": lambda: st.image("<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "tag": lambda: st.caption("<img src=x>"),
    "link in a label": lambda: st.button("[link](http://evil.example)"),
    "bold in a help": lambda: st.button("x", help="**bold**"),
}


@pytest.mark.parametrize("what", BAD)
def test_the_check_of_the_tree_notices_what_it_is_for(what: str) -> None:
    def page(bad):
        bad()

    at = AppTest.from_function(page, args=(BAD[what],)).run()
    assert not at.exception
    with pytest.raises(AssertionError):
        check_elements(at)


def test_the_hostile_names_hold_what_the_check_looks_for() -> None:
    assert ACTIVE.search(TEXTS["markup"])
    assert ACTIVE.search(TEXTS["script"])
