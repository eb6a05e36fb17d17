"""The Machines page: what it counts, compares and warns of, on ordinary and on absurd records."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from batonpass.core.gpu.catalogue import catalogue
from batonpass.core.gpu.odds import shares
from batonpass.core.gpu.speed import Speed
from batonpass.core.model import Account, Gpu, GpuSample, Host, Session, UnitRate
from batonpass.streamlit_app.components.card_ratio import first_pair, is_told_story, ratio_rows, ratio_sentences
from batonpass.streamlit_app.components.gpu_chart import gpu_option
from batonpass.streamlit_app.components.gpu_facts import catalogue_rows
from batonpass.streamlit_app.components.gpu_notes import notes_of
from batonpass.streamlit_app.components.gpu_words import summary_rows, summary_words, worth_a_look
from batonpass.streamlit_app.components.odds import draws, odds_rows
from batonpass.streamlit_app.components.speed_chart import odds_option, speed_option
from batonpass.streamlit_app.components.speed_table import run_speeds, speed_rows
from batonpass.streamlit_app.components.speed_units import card_rates
from batonpass.streamlit_app.components.timeline_chart import MOST_PLACES, timeline_height, timeline_option
from batonpass.streamlit_app.overview import read_overview
from batonpass.sync.stores import open_store

from .conftest import HOSTILE, AppMaker, edit, words

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
GIB = 2**30
T4 = Gpu("Tesla T4", 15 * GIB, "7.5", "580.95")
P100 = Gpu("Tesla P100-PCIE-16GB", 16 * GIB, "6.0", "580.95")
V100 = Gpu("Tesla V100-SXM2-16GB", 16 * GIB, "7.0", "580.95")
A100 = Gpu("NVIDIA A100-SXM4-40GB", 40 * GIB, "8.0", "580.95")


def session(name: str = "s", *, gpus: tuple[Gpu, ...] = (T4,), hour: float = 0, **more: object) -> Session:
    began = NOW + timedelta(hours=hour)
    host = Host("colab", f"machine-{name}", "1-1", "Linux x86_64", 2, 13 * GIB)
    first = Session(name, "r", 1, "personal", host, began, began + timedelta(hours=1), gpus=gpus)
    return replace(first, **more)


def readings(
    *, busy: float, gpus: int = 1, n: int = 10, memory: int = 5 * GIB, heat: float = 60
) -> tuple[GpuSample, ...]:
    return tuple(
        GpuSample(NOW + timedelta(minutes=m), i, busy + 10 * i, memory, heat, 70.0)
        for m in range(n)
        for i in range(gpus)
    )


def numbers_of(option: object) -> list[float]:
    """Every number anywhere in an option."""
    if isinstance(option, dict):
        return [n for value in option.values() for n in numbers_of(value)]
    if isinstance(option, list | tuple):
        return [n for value in option for n in numbers_of(value)]
    return [option] if isinstance(option, int | float) else []


def test_speeds_are_compared_inside_one_run_slowest_first(store: Path) -> None:
    overview = read_overview(open_store(str(store)))
    found = run_speeds(next(r for r in overview.runs if r.name == "cats-v2"))
    assert [s.gpu for s in found][-1] == "L4"
    assert [s.median for s in found] == sorted(s.median for s in found)
    assert {s.gpu: s.n for s in found}["T4"] == 4


def test_a_speed_stands_with_n_and_a_spread_only_where_there_is_one() -> None:
    one, many = speed_rows((Speed("T4", (1.0,)), Speed("L4", (2.0, 3.0, 4.0))))
    assert one["Lowest to highest"] == "one session"
    assert one["Against the slowest"] == ""
    assert many["n"] == "3"
    assert many["Against the slowest"] == "3.00 x (2.00 to 4.00)"
    assert many["1,000 steps take"] == "5 min 33 s"


def at_place(label: str, provider: str, *, gpus: tuple[Gpu, ...] = (T4,)) -> Session:
    found = session(label + provider, gpus=gpus)
    return replace(found, account=label, host=replace(found.host, provider=provider))


def test_units_per_thousand_steps_stand_where_a_rate_is_known_with_its_date_and_unknown_elsewhere() -> None:
    rates = card_rates([at_place("a", "colab"), at_place("a", "colab", gpus=(P100,))], [], BERLIN)
    known, unknown = speed_rows((Speed("T4", (0.5,)), Speed("P100", (1.0,))), rates)
    assert known["Units per 1,000 steps"] == "0.661"  # 1.19 units an hour, 2,000 s
    assert known["Rate read"] == "10 March 2026"
    assert unknown["Units per 1,000 steps"] == "unknown"
    assert unknown["Rate read"] == ""


def test_without_any_rate_there_is_no_column_of_units() -> None:
    assert card_rates([at_place("a", "kaggle"), session(gpus=())], [], BERLIN) == {}
    (row,) = speed_rows((Speed("T4", (0.5,)),), {})
    assert "Units per 1,000 steps" not in row


def test_a_rate_of_ones_own_goes_first_holds_at_its_account_alone_and_two_gpus_take_twice() -> None:
    own = Account("mine", unit_rates=(UnitRate("T4", 2.0, NOW),))
    sessions = [at_place("mine", "other"), at_place("mine", "other", gpus=(T4, T4)), at_place("b", "colab")]
    rates = card_rates(sessions, [own], BERLIN)
    assert [r.per_hour for r in rates["T4"]] == [1.19, 2.0]
    assert [r.per_hour for r in rates["2 x T4"]] == [4.0]
    (row,) = speed_rows((Speed("T4", (1.0,)),), rates)
    assert row["Units per 1,000 steps"] == "0.331 to 0.556"
    assert row["Rate read"] == "10 March 2026; by you, Mon 23 Nov, 09:00"


def test_absurd_speeds_and_rates_give_words_and_no_error() -> None:
    own = Account("a", unit_rates=(UnitRate("T4", 1e6, NOW), UnitRate(HOSTILE, 1.0, NOW)))
    odd = Gpu(HOSTILE, 10**18, HOSTILE, HOSTILE)
    rates = card_rates([at_place("a", "other"), at_place("a", "other", gpus=(odd,))], [own], BERLIN)
    for row in speed_rows((Speed("T4", (1e-9,)), Speed("T4", (1e9,))), rates):
        assert row["Units per 1,000 steps"]


def test_the_machines_page_shows_units_beside_speed(app: AppMaker, store: Path) -> None:
    at = app(store, page="machines", run="1a5e0000")
    assert not at.exception
    assert "Units per 1,000 steps" in words(at)
    assert "10 March 2026" in words(at)


def test_every_session_is_a_mark_and_every_card_has_its_median() -> None:
    option, height = speed_option((Speed("T4", (1.0, 1.2)), Speed("L4", (2.0,))))
    one, middle = option["series"]
    assert [mark["value"][0] for mark in one["data"]] == [1.0, 1.2, 2.0]
    assert [mark["name"] for mark in middle["data"]] == ["1.1", "2"]
    assert option["yAxis"]["data"] == ["T4 (n 2)", "L4 (n 1)"]
    assert height > 100


def test_a_measured_ratio_stands_beside_what_the_makers_figures_predict() -> None:
    cards = {e.name: e for e in catalogue()}
    fast, slow = Speed("V100 16GB", (10.0, 11.0)), Speed("T4", (1.0,))
    rows = ratio_rows(fast, slow, cards["V100 16GB"], cards["T4"])
    assert [row["By"] for row in rows] == [
        "measured in this run",
        "peak fp32",
        "peak half precision",
        "memory bandwidth",
    ]
    assert rows[0]["Times as fast"] == "10.50 x (10.00 to 11.00)"
    assert rows[0]["From"] == "2 sessions against 1"
    assert [row["Times as fast"] for row in rows[1:]] == ["1.84 x", "1.83 x", "2.81 x"]
    said = " ".join(ratio_sentences(fast, slow, cards["V100 16GB"], cards["T4"]))
    assert "memory bandwidth (2.81 times)" in said
    assert "Few sessions" in said


def test_cards_that_were_not_measured_or_are_not_known_are_said_to_be_so() -> None:
    cards = {e.name: e for e in catalogue()}
    assert ratio_rows(None, None, cards["L4"], cards["T4"])[0]["Times as fast"] == "not measured"
    assert (
        ratio_rows(Speed("x", (1.0,)), Speed("T4", (1.0,)), None, cards["T4"])[1]["Times as fast"]
        == "not in the catalogue"
    )
    assert ratio_sentences(None, None, None, cards["T4"]) == []


def test_a_fast_card_that_waits_is_noticed() -> None:
    cards = {e.name: e for e in catalogue()}
    slow, fast = Speed("T4", (1.0, 1.0, 1.0)), Speed("A100 40GB", (1.1, 1.1, 1.1))
    said = ratio_sentences(fast, slow, cards["A100 40GB"], cards["T4"])
    assert any("data loading" in sentence for sentence in said)
    assert not any(
        "data loading" in s for s in ratio_sentences(Speed("A100 40GB", (4.0,)), slow, cards["A100 40GB"], cards["T4"])
    )


def test_the_first_pair_is_one_that_can_be_judged() -> None:
    assert first_pair(["T4", "RTX 3060", "L4", "mine"], {"T4", "L4"}) == ("L4", "T4")
    assert first_pair(["mine", "yours"], {"T4"}) == ("yours", "mine")
    assert first_pair(["T4"], {"T4"}) == ("V100 16GB", "T4")
    assert first_pair(["L4"], {"T4", "L4"}) == ("L4", "T4")
    assert first_pair(["mine"], {"T4"}) == ("V100 16GB", "T4")


def test_the_story_of_two_cards_is_told_only_to_who_had_one_of_them() -> None:
    assert is_told_story("V100 16GB", "T4", ["L4", "T4"])
    assert is_told_story("T4", "V100 32GB", ["V100 16GB"])
    assert not is_told_story("V100 16GB", "T4", ["L4"])
    assert not is_told_story("V100 16GB", "L4", ["T4"])
    assert not is_told_story("", "T4", ["", "T4"])


def test_one_machine_counts_once_however_many_sessions_ran_on_it(store: Path) -> None:
    overview = read_overview(open_store(str(store)))
    host = Host("colab", "one", "1-1")
    twice = [
        session("a", host=host),
        session("b", hour=1.1, host=host),
        session("c", hour=30, gpus=(A100,), host=Host("colab", "two", "1-1")),
    ]
    assert sorted(draws(overview, twice, "account")) == [("Colab, personal", "A100 40GB"), ("Colab, personal", "T4")]
    assert {where for where, _ in draws(overview, twice, "provider")} == {"Colab"}
    assert {where for where, _ in draws(overview, twice, "provider and plan")} == {"Colab, free"}
    stranger = [replace(s, account="nobody") for s in twice]
    assert {where for where, _ in draws(overview, stranger, "provider and plan")} == {"Colab, plan not noted"}


def test_a_share_never_stands_without_its_n_and_interval() -> None:
    found = shares([("Colab, free", "T4")] * 3 + [("Colab, free", "no GPU")])
    first, second = odds_rows(found)
    assert (first["Came"], first["Share"], first["Could well be"]) == ("3 of 4", "75 %", "30 % to 95 %")
    assert second["GPU"] == "no GPU"
    option, _ = odds_option(found)
    assert [mark["name"] for mark in option["series"][-1]["data"]] == ["3 of 4", "1 of 4"]
    assert all(0 <= x <= 100 for line in option["series"][:-1] for x, _ in line["data"])


def test_the_timeline_draws_every_session_and_nothing_between_two(store: Path) -> None:
    overview = read_overview(open_store(str(store)))
    sessions = [s.session for r in overview.runs for s in r.files.sessions]
    option = timeline_option(sessions, {s.id: s.heartbeat_at for s in sessions}, ZoneInfo("UTC"))
    assert sorted(s["name"] for s in option["series"]) == ["A100 40GB", "L4", "P100", "RTX 3060", "T4"]
    drawn = 0
    for series in option["series"]:
        points = series["data"]
        for start, end, gap in zip(points[::3], points[1::3], points[2::3], strict=True):
            assert start["value"][0] < end["value"][0]
            assert start["value"][1] == end["value"][1]
            assert gap["value"][1] is None
            drawn += 1
    assert drawn == len(sessions)


def test_hundreds_of_places_make_no_endless_picture() -> None:
    many = [session(str(i), hour=i, account=f"account {i}") for i in range(300)]
    option = timeline_option(many, {s.id: s.heartbeat_at for s in many}, BERLIN)
    assert len(option["yAxis"]["data"]) == MOST_PLACES
    assert "Colab, account 299" in option["yAxis"]["data"]
    assert timeline_height(many) < 1100


def test_two_gpus_are_two_lines_named_at_their_ends() -> None:
    two = session(gpus=(T4, T4), gpu_samples=readings(busy=40, gpus=2))
    option, _ = gpu_option(two, BERLIN)
    assert len(option["series"]) == 8
    assert [line["endLabel"]["formatter"] for line in option["series"][:2]] == ["GPU 0", "GPU 1"]
    assert option["series"][0]["lineStyle"]["type"] != option["series"][1]["lineStyle"]["type"]
    assert [row["Busy, mean"] for row in summary_rows(two)] == ["40 %", "50 %"]
    assert summary_words(two).startswith("GPU 0: busy 40 % on average")


def test_one_gpu_has_no_number_in_words() -> None:
    alone = session(gpu_samples=readings(busy=88))
    assert summary_words(alone) == "busy 88 % on average, 88 % at most, memory at most 5.0 of 15.0 GiB (33 %)"
    assert worth_a_look(alone) == []


def test_memory_is_drawn_against_its_size() -> None:
    option, _ = gpu_option(session(gpu_samples=readings(busy=50)), BERLIN)
    assert (option["yAxis"][0]["min"], option["yAxis"][0]["max"]) == (0, 100)
    assert option["yAxis"][1]["max"] == 15.0
    unknown, _ = gpu_option(session(gpus=(replace(T4, memory_bytes=0),), gpu_samples=readings(busy=50)), BERLIN)
    assert "max" not in unknown["yAxis"][1]


def test_a_silence_breaks_the_line() -> None:
    samples = (*readings(busy=50, n=5), *(replace(s, at=s.at + timedelta(hours=3)) for s in readings(busy=50, n=5)))
    option, _ = gpu_option(session(gpu_samples=samples), BERLIN)
    values = [value for _, value in option["series"][0]["data"]]
    assert values == [50.0] * 5 + [None] + [50.0] * 5


def test_a_curve_that_no_reading_has_is_left_out() -> None:
    samples = tuple(GpuSample(s.at, 0, s.utilisation_percent) for s in readings(busy=50))
    option, _ = gpu_option(session(gpu_samples=samples), BERLIN)
    assert [title["text"] for title in option["title"]] == ["utilisation, %"]
    assert summary_rows(session(gpu_samples=samples))[0]["Hottest"] == "not read"


def test_an_idle_gpu_gets_a_hint_about_its_data_with_the_cores_there_were() -> None:
    (hint,) = worth_a_look(session(gpu_samples=readings(busy=20)))
    assert "busy only 20 %" in hint
    assert "2 CPU cores" in hint
    assert "larger batch" in hint
    assert worth_a_look(session(gpu_samples=readings(busy=20, n=3))) == [], "three moments say nothing"


def test_a_second_card_that_nobody_uses_is_told_apart_from_slow_data() -> None:
    samples = tuple(replace(s, utilisation_percent=95.0 if s.index == 0 else 0.0) for s in readings(busy=0, gpus=2))
    (hint,) = worth_a_look(session(gpus=(T4, T4), gpu_samples=samples))
    assert hint.startswith("GPU 1 was busy only 0 %")
    assert "torchrun" in hint


def test_full_memory_and_heat_are_worth_a_look() -> None:
    found = worth_a_look(session(gpu_samples=readings(busy=90, memory=int(14.7 * GIB), heat=88)))
    assert any("nearly full" in s for s in found)
    assert any("88 °C" in s for s in found)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1e308, 10**40])
def test_no_reading_breaks_a_chart_or_a_sentence(value: float) -> None:
    bad = tuple(GpuSample(NOW + timedelta(minutes=m), m % 2 * 10**30, value, value, value, value) for m in range(20))  # type: ignore[arg-type]
    good = replace(session(), gpu_samples=(*readings(busy=70), *bad))
    option, _ = gpu_option(good, BERLIN)
    assert all(math.isfinite(n) and abs(n) < 1e6 for n in numbers_of(option))
    json.dumps(option, allow_nan=False)
    assert summary_rows(good)[0]["Busy, mean"] == "70 %"
    assert worth_a_look(good) == []


def test_bf16_on_a_t4_is_called_emulated_and_on_an_a100_is_not() -> None:
    (note,) = notes_of([session(), session("b", gpus=(A100,))], "bf16")
    assert note.grave
    assert "T4 has no native bf16" in note.text
    assert "1 session (Colab)" in note.text


@pytest.mark.parametrize(("gpu", "torch"), [(P100, "2.10.0+cu128"), (V100, "2.11.0+cu128"), (P100, "2.12.0+cu130")])
def test_a_card_that_the_torch_of_its_session_left_behind_is_warned_of(gpu: Gpu, torch: str) -> None:
    untried = session(gpus=(gpu,), versions={"torch": torch})
    assert any(note.grave and "holds no code" in note.text for note in notes_of([untried], "fp32"))
    tried = session(gpus=(replace(gpu, usable=True),), versions={"torch": torch})
    assert not any(note.grave for note in notes_of([tried], "fp32")), "an operation that worked beats every table"


def test_a_torch_without_cuda_on_a_machine_with_a_gpu_is_warned_of() -> None:
    (note,) = notes_of([session(versions={"torch": "2.13.0+cpu"})], "fp32")
    assert note.grave
    assert "built without CUDA" in note.text


def test_a_failed_first_operation_is_told_with_its_reason() -> None:
    dead = session(
        gpus=(replace(P100, usable=False, why_not="no kernel image is available.\n"),),
        versions={"torch": "2.10.0+cu128"},
    )
    graves = [note for note in notes_of([dead], "amp") if note.grave]
    assert len(graves) == 1
    assert "cannot use the P100: no kernel image is available." in graves[0].text


def test_a_note_stands_once_with_the_number_of_its_sessions() -> None:
    found = notes_of([session(str(i), gpus=(T4, T4)) for i in range(5)], "amp")
    assert len(found) == 1
    assert not found[0].grave
    assert "5 sessions" in found[0].text


@pytest.mark.parametrize("capability", ["", "abc", "7", "7.5.1", "9" * 5000, "-7.5", "\u0667.\u0665", None])
def test_a_compute_capability_that_is_none_falls_back_on_the_catalogue(capability: str | None) -> None:
    (note,) = notes_of([session(gpus=(replace(T4, compute_capability=capability),))], "bf16")
    assert "no native bf16" in note.text
    strange = session(gpus=(Gpu(HOSTILE, 10**18, capability),), versions={"torch": HOSTILE, "cuda": HOSTILE})
    assert notes_of([strange], "bf16") == []


def test_the_place_of_a_card_depends_on_the_precision() -> None:
    both = [
        session(),
        session("b", gpus=(P100,), host=Host("kaggle", "m", "1-1")),
        session("c", host=Host("kaggle", "m", "1-1")),
    ]
    amp = {row["GPU"]: row["Place"] for row in catalogue_rows(both, "amp")}
    fp32 = {row["GPU"]: row["Place"] for row in catalogue_rows(both, "fp32")}
    assert amp["P100"].split()[0] > amp["T4"].rsplit(" of ", 1)[0][-1], (
        "with tensor cores the T4 stands before the P100"
    )
    assert fp32["P100"].split()[0] < fp32["T4"].rsplit(" of ", 1)[0][-1]


def test_the_page_compares_measures_and_warns(app: AppMaker, store: Path) -> None:
    at = app(store, page="machines", run="1a5e0000")
    assert not at.exception
    said = words(at)
    for part in (
        "Timeline",
        "Measured speed",
        "Two cards compared",
        "Which GPU came",
        "your log, not a promise",
        "means weigh time",
    ):
        assert part.lower() in said.lower()
    assert all(chart.proto.alt for chart in at.get("echarts_chart"))
    assert all(frame.proto.alt for frame in at.dataframe)
    at = at.segmented_control(key="precision").set_value("bf16").run()
    assert any("no native bf16" in w.value for w in at.warning)


def test_two_sessions_chosen_show_only_what_differs(app: AppMaker, store: Path) -> None:
    at = app(store, page="machines", run="1a5e0000")
    tables = [f.value for f in at.dataframe if list(f.value.columns) == ["What", "Before", "After"]]
    assert list(tables[0]["What"]) == ["torch", "cuda", "python", "numpy", "CPU cores", "RAM, GiB"]
    box = {b.label: b for b in at.selectbox}
    at = box["Between"].set_value(box["and"].value).run()
    assert not at.exception
    assert "Nothing that was noted differs between these two" in words(at)


def test_the_story_of_the_v100_and_the_t4_is_told_where_the_two_are_compared(app: AppMaker, store: Path) -> None:
    at = app(store, page="machines", run="1a5e0000")
    assert "ten times a T4" not in words(at)
    box = {b.label: b for b in at.selectbox}
    box["This card"].set_value("V100 16GB")
    at = box["Against"].set_value("T4").run()
    assert "ten times a T4" in words(at)
    assert "about three times" in words(at)


def test_absurd_readings_and_hosts_leave_the_page_standing(app: AppMaker, store: Path) -> None:
    at_time = "2026-01-01T00:00:00Z"
    sample = {"utilisation_percent": 1e308, "memory_used_bytes": 2**62, "temperature_c": -1e308, "power_w": 1e308}
    for number, path in enumerate(store.glob("runs/*/sessions/*.json")):
        changes = {
            "gpu_samples": [{"at": at_time, "index": 10**15 * k, **sample} for k in range(30)],
            "gpus": [
                {
                    "name": HOSTILE,
                    "memory_bytes": 0,
                    "compute_capability": HOSTILE,
                    "driver": HOSTILE,
                    "usable": False,
                    "why_not": HOSTILE,
                }
            ],
            "versions": {HOSTILE: HOSTILE, "torch": HOSTILE, "n": str(number)},
            "trained_s": 1e-300,
            "steps_done": 2**62,
        }
        host = json.loads(path.read_text())["host"]
        edit(
            path,
            host={**host, "system": HOSTILE, "cpu_count": -5, "ram_bytes": 2**62, "disk_free_bytes": -1},
            **changes,
        )
    at = app(store, page="machines")
    assert not at.exception
    for chart in at.get("echarts_chart"):
        json.loads(chart.proto.spec)
    assert "reported nothing of what is drawn" in words(at)


def test_a_log_without_any_gpu_says_so(app: AppMaker, one_session: Path) -> None:
    at = app(one_session, page="machines")
    said = words(at)
    assert "No readings yet" in said
    assert "No session had a GPU" in said
    assert "No session of this run had a GPU, so there are no cards to compare" in said
    assert "V100" not in said
    assert "I train in" not in said, "nothing to choose a precision for"
    assert "There is one session so far" in said, "the rest of the page stands"
    assert "Nothing measured in this run yet" in said
