"""From the driver to the page: a session on a machine whose driver answers, its file on the store, and what the app draws of it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import streamlit as st
from front_training import loader, model_and_optimizer, sessions, start
from streamlit.testing.v1 import AppTest

from batonpass import starting
from batonpass.core.gpu.readings import by_gpu
from batonpass.streamlit_app.components.gpu_chart import gpu_option
from batonpass.streamlit_app.components.gpu_words import summary_words

APP = Path(__file__).resolve().parents[2] / "streamlit_app" / "app.py"
PATIENCE_S = 30


@pytest.fixture(autouse=True)
def _nothing_stays_open():
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
    for run in list(starting._open_runs.values()):
        run._active.service.stop()
        run._active.joined.store.close()
    starting._open_runs.clear()


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "drive" / "batonpass")


def until_sampled(store, moments):
    """Wait until the session's file on the store holds readings of that many moments."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(ValueError):
            (seen,) = sessions(store)
            if len({s.at for s in seen.session.gpu_samples}) >= moments:
                return
        time.sleep(0.05)
    raise AssertionError(f"no readings of {moments} moments within {PATIENCE_S} s")


def trained(store, *, moments=1):
    """One whole session; its record as the store holds it afterwards."""
    model, optimizer = model_and_optimizer()
    run = start(store, account="personal").attach(model=model, optimizer=optimizer)
    for step, (batch,) in enumerate(run.steps(loader()), start=1):
        optimizer.zero_grad()
        loss = model(batch).square().mean()
        loss.backward()
        optimizer.step()
        run.log(loss=loss)
        if step == 30 and moments:
            run.save()
            until_sampled(store, moments)
    assert run.finish()
    (seen,) = sessions(store)
    return seen.session


def page(store, monkeypatch):
    monkeypatch.setenv("BATONPASS_STORE", store)
    at = AppTest.from_file(str(APP), default_timeout=120)
    at.context = {"timezone": "Europe/Berlin"}
    return at.run().switch_page("views/machines.py").run()


def test_the_gpus_and_their_readings_travel_from_the_driver_to_the_page(nvml, store, monkeypatch):
    nvml("two_t4")
    session = trained(store)
    assert [gpu.name for gpu in session.gpus] == ["Tesla T4", "Tesla T4"]
    assert session.gpus[0].driver
    gpus = by_gpu(session.gpu_samples)
    assert list(gpus) == [0, 1]
    assert len(gpus[0]) == len(gpus[1]) >= 1
    option, _ = gpu_option(session, ZoneInfo("UTC"))
    assert [line["endLabel"]["formatter"] for line in option["series"][:2]] == ["GPU 0", "GPU 1"]

    at = page(store, monkeypatch)
    assert not at.exception
    charts = at.get("echarts_chart")
    assert "built without CUDA" in " ".join(w.value for w in at.warning), "the torch of this session is a CPU build"
    assert any("Readings of the 2 x T4: GPU 0: busy" in chart.proto.alt for chart in charts)
    tables = [frame.value for frame in at.dataframe]
    assert any("2 x T4" in set(table.get("GPU", ())) for table in tables)
    assert any(set(table.get("RAM, GiB", ())) - {"not noted"} for table in tables), "host facts came too"


def test_the_readings_of_one_card_are_what_the_driver_said(nvml, store):
    nvml("t4")
    session = trained(store)
    assert summary_words(session) == "busy 97 % on average, 97 % at most, memory at most 10.0 of 15.0 GiB (67 %)"


def test_a_machine_without_a_driver_has_no_gpu_and_an_honest_page(nvml, store, monkeypatch):
    nvml("no_gpu")
    session = trained(store, moments=0)
    assert (session.gpus, session.gpu_samples) == ((), ())
    at = page(store, monkeypatch)
    assert not at.exception
    assert any("No readings yet" in caption.value for caption in at.caption)


def test_a_card_that_reports_little_is_drawn_with_what_it_reports(nvml, store, monkeypatch):
    nvml("unsupported")
    session = trained(store)
    option, _ = gpu_option(session, ZoneInfo("UTC"))
    assert [title["text"] for title in option["title"]] == ["memory, GiB"]
    assert not page(store, monkeypatch).exception
