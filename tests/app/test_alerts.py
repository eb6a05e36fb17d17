"""What is called an alert, that each is told once, and that the webhook's address stays a secret."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import pytest

from batonpass.core.errors import StoreUnreachableError, UsageError
from batonpass.core.model import End, EndKind, MetricTail
from batonpass.core.states import PARTED_DETAIL, Word
from batonpass.streamlit_app.alert_settings import AlertSettings, alerts_file, load_alert_settings, save_alert_settings
from batonpass.streamlit_app.alerts import Alert, AlertKind, alerts
from batonpass.streamlit_app.condition import StoreCondition, read_condition
from batonpass.streamlit_app.estimates.hours import hours_by_gpu
from batonpass.streamlit_app.herald import Herald
from batonpass.streamlit_app.overview import Overview, RunStory, read_overview
from batonpass.streamlit_app.standing import read_standing
from batonpass.sync.room import Room, drive_room
from batonpass.sync.stores import open_store
from batonpass.sync.webhook import RefusedError, check_address, post_text

from .conftest import HOSTILE, AppMaker, edit, words


@pytest.fixture
def overview(store: Path) -> Overview:
    return read_overview(open_store(store))


def cats_of(overview: Overview) -> RunStory:
    return next(r for r in overview.runs if r.name == "cats-v2")


def with_session(run: RunStory, **changes: object) -> RunStory:
    """The run, with its live session changed."""
    *before, last = run.files.sessions
    last = replace(last, session=replace(last.session, **changes))
    return replace(run, files=replace(run.files, sessions=(*before, last)))


def found(run: RunStory, overview: Overview, *, later: timedelta = timedelta(), condition=None, **more) -> list[Alert]:
    now = overview.read_at + later
    return list(alerts(run, read_standing(run, now), now, condition, **more))


def kinds(run: RunStory, overview: Overview, **more) -> list[AlertKind]:
    return [a.kind for a in found(run, overview, **more)]


def test_a_run_that_trains_well_has_no_alert(overview: Overview) -> None:
    assert kinds(cats_of(overview), overview) == []


def test_silence_is_an_alert_whose_key_does_not_change_while_it_lasts(overview: Overview) -> None:
    cats = cats_of(overview)
    early, late = (found(cats, overview, later=timedelta(hours=h)) for h in (1, 9))
    assert [a.kind for a in early] == [AlertKind.SILENT]
    assert [a.key for a in early] == [a.key for a in late]
    assert early[0].says != late[0].says


def test_beats_without_steps_are_an_alert_and_rare_logging_is_not(overview: Overview) -> None:
    cats = cats_of(overview)
    beat = cats.files.sessions[-1].session.heartbeat_at.timestamp()

    def logged(*minutes_ago: float) -> RunStory:
        rows = tuple((n, n, 0.0, beat - 60 * m, 0, 1.0) for n, m in enumerate(minutes_ago))
        return with_session(cats, tail=MetricTail(("loss",), rows))

    assert kinds(logged(42, 41, 40), overview) == [AlertKind.NO_PROGRESS]
    assert kinds(logged(3, 2, 1), overview) == []
    assert kinds(logged(120, 80, 40), overview) == [], "it logs every 40 minutes"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_loss_that_is_no_number_is_an_alert_and_one_that_mended_is_not(overview: Overview, value: str) -> None:
    cats = cats_of(overview)
    at = cats.files.sessions[-1].session.heartbeat_at.timestamp()
    rows = ((0, 1, 0.0, at, 0, value), (1, 1, 0.0, at, 1, "NaN"))
    bad = with_session(cats, tail=MetricTail(("train/Loss", "accuracy"), rows))
    good = with_session(cats, tail=MetricTail(("train/Loss", "accuracy"), (*rows, (2, 2, 0.0, at, 0, 0.5))))
    assert kinds(bad, overview) == [AlertKind.NOT_A_NUMBER]
    assert kinds(good, overview) == []


@pytest.mark.parametrize(
    ("lane", "kind"),
    [
        ({"kind": "no room", "hint": "empty the trash"}, AlertKind.FULL),
        ({"kind": "needs sign-in"}, AlertKind.NOT_SENT),
        ({"kind": "", "stuck": True}, AlertKind.NOT_SENT),
    ],
)
def test_what_the_machine_says_of_its_uploads_is_an_alert(overview: Overview, lane: dict, kind: AlertKind) -> None:
    assert kinds(with_session(cats_of(overview), sync={"blobs": lane}), overview) == [kind]


@pytest.mark.parametrize("sync", [{"blobs": "full"}, {"blobs": {"kind": 7}}, {"blobs": {"ok": True, "kind": ""}}])
def test_nonsense_or_all_well_about_uploads_is_none(overview: Overview, sync: dict) -> None:
    assert kinds(with_session(cats_of(overview), sync=sync), overview) == []


def test_little_room_is_an_alert_and_plenty_is_not(overview: Overview) -> None:
    cats = cats_of(overview)
    assert kinds(cats, overview, condition=StoreCondition(Room(10**9, 10**11))) == [AlertKind.NEARLY_FULL]
    assert kinds(cats, overview, condition=StoreCondition(Room(10**10, 10**11))) == []


def test_much_unsaved_work_is_an_alert_from_the_users_own_limit_on(overview: Overview) -> None:
    cats = with_session(cats_of(overview), trained_s=11_000.0 + 4_000.0)
    risk_s = read_standing(cats, overview.read_at).risk_s
    assert kinds(cats, overview, risk_s=risk_s - 1) == [AlertKind.AT_RISK]
    assert kinds(cats, overview, risk_s=risk_s + 1) == []


def test_a_machine_that_lost_the_run_and_trains_on_is_an_alert(overview: Overview) -> None:
    cats = cats_of(overview)
    *before, other, last = cats.files.sessions
    still = replace(other.session, end=None, alive=True, branch=f"lost to {last.session.id}")
    beating = replace(other, session=still, info=replace(other.info, modified=overview.read_at))
    both = replace(cats, files=replace(cats.files, sessions=(*before, beating, last)))
    assert kinds(both, overview) == [AlertKind.TWO_HOLDERS]


@pytest.mark.parametrize(("heard_after_s", "expected"), [(-30, []), (50, []), (90, [AlertKind.TWO_HOLDERS])])
def test_a_machine_whose_run_was_taken_is_no_alert_unless_it_is_heard_of_again(
    overview: Overview, heard_after_s: int, expected: list[AlertKind]
) -> None:
    """It died a minute before somebody took its run: that it beat until then tells nothing."""
    cats = cats_of(overview)
    *before, other, last = cats.files.sessions
    taken_at = overview.read_at - timedelta(seconds=95)
    gone = replace(other.session, end=None, alive=True, branch=None)
    silent = replace(
        other, session=gone, info=replace(other.info, modified=taken_at + timedelta(seconds=heard_after_s))
    )
    new = replace(last, session=replace(last.session, started_at=taken_at))
    both = replace(cats, files=replace(cats.files, sessions=(*before, silent, new)))
    assert [kind for kind in kinds(both, overview) if kind is AlertKind.TWO_HOLDERS] == expected


def test_copies_made_by_a_syncing_program_are_an_alert(store: Path) -> None:
    folder = next((store / "runs").glob("cats*"))
    (folder / "head (1).json").write_text("{}")
    opened = open_store(store)
    overview = read_overview(opened)
    assert kinds(cats_of(overview), overview, condition=read_condition(opened, overview)) == [AlertKind.CONFLICT]


def test_an_archived_run_and_a_finished_one_have_none(overview: Overview) -> None:
    cats = cats_of(overview)
    put_away = replace(cats, files=replace(cats.files, annotations=replace(cats.files.annotations, archived=True)))
    assert kinds(put_away, overview, later=timedelta(days=1)) == []
    digits = next(r for r in overview.runs if r.name.startswith("digits"))
    assert kinds(digits, overview, later=timedelta(days=1)) == []


def test_a_session_whose_mirror_went_away_is_not_called_closed_below_the_goal(overview: Overview) -> None:
    cats = cats_of(overview)
    at = cats.files.sessions[-1].session.heartbeat_at
    parted = with_session(cats, end=End(EndKind.CLOSED, at, PARTED_DETAIL))
    closed = with_session(cats, end=End(EndKind.CLOSED, at, ""))
    assert read_standing(parted, overview.read_at).state.word is Word.PARTED
    assert read_standing(closed, overview.read_at).state.word is Word.CLOSED


def test_hours_are_reckoned_by_the_speed_of_each_gpu(overview: Overview) -> None:
    hours = {h.gpu: h for h in hours_by_gpu(cats_of(overview), 10_000)}
    legs = [s.session for s in cats_of(overview).files.sessions if s.session.gpus[0].name == "Tesla T4"]
    rate = median(s.steps_done / s.trained_s for s in legs)
    assert hours["T4"].training_s == pytest.approx(10_000 / rate)
    assert hours["T4"].n == len(legs)


@pytest.mark.parametrize(
    "about", [{}, {"quotaType": "UNLIMITED", "quotaBytesTotal": "5", "quotaBytesUsedAggregate": "1"}]
)
def test_a_drive_without_a_limit_has_no_room_to_tell_of(about: dict) -> None:
    assert drive_room(about) is None


@contextmanager
def chat(*statuses: int) -> Iterator[tuple[str, list[dict]]]:
    """A chat service on this computer: its address, and what it was sent. It answers with these statuses, the last one for ever."""
    got: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            self.send_header("Content-Length", "0")
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/secret-token", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_slack_and_discord_both_find_their_text_and_nobody_is_called() -> None:
    with chat(204) as (url, got):
        post_text(url, "cats <!channel> @everyone <http://evil|x>" + "y" * 5000)
    assert got[0]["text"] == got[0]["content"]
    assert len(got[0]["content"]) < 2000
    assert "<" not in got[0]["text"]
    assert "@everyone" not in got[0]["text"]
    assert "http://" not in got[0]["text"]
    assert got[0]["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x.example",
        "http://chat.example/x",
        "https://",
        "https://u:p@chat.example",
        "https://a b",
        "http://[::1",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_address(url)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, RefusedError), (302, RefusedError), (500, StoreUnreachableError), (429, StoreUnreachableError)],
)
def test_no_error_and_no_log_holds_the_address(
    status: int, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """Not at DEBUG level either, as far as it is ours; a redirect is not followed."""
    with chat(status) as (url, got), pytest.raises(error) as refused, caplog.at_level(logging.INFO):
        post_text(url, "x")
    assert len(got) == 1
    assert "secret-token" not in str(refused.value) + repr(refused.value.__cause__) + caplog.text


def test_an_unreachable_webhook_is_an_error_without_its_address() -> None:
    with pytest.raises(StoreUnreachableError) as refused:
        post_text("http://127.0.0.1:9/secret-token", "x")
    assert "secret-token" not in str(refused.value)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def told(herald: Herald, overview: Overview) -> None:
    thread = herald.consider(overview, StoreCondition(), mount=False)
    if thread is not None:
        thread.join()


def later(overview: Overview, hours: float) -> Overview:
    return replace(overview, read_at=overview.read_at + timedelta(hours=hours))


def test_an_alert_is_told_once_also_over_a_start_of_the_app(overview: Overview, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    with chat(200) as (url, got):
        save_alert_settings(AlertSettings(webhook=url, told={"s": ()}))
        herald = Herald("s")
        told(herald, overview)
        before = len(got)
        for hours in (1, 2):
            told(herald, later(overview, hours))
        told(Herald("s"), later(overview, 3))
    assert len(got) == before + 1
    assert "cats-v2: no sign of life" in got[-1]["text"]


def test_what_is_so_when_a_store_is_first_looked_at_is_no_news(overview: Overview, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    with chat(200) as (url, got):
        save_alert_settings(AlertSettings(webhook=url))
        herald = Herald("s")
        told(herald, overview)
        assert got == []
        told(herald, later(overview, 1))
    assert len(got) == 1


def test_what_did_not_get_through_is_tried_again_later_and_not_at_once(
    overview: Overview, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    clock = Clock()
    with chat(500, 200) as (url, got):
        save_alert_settings(AlertSettings(webhook=url, told={"s": ()}))
        herald = Herald("s", clock=clock)
        told(herald, overview)
        assert "did not get through" in herald.says
        assert "secret-token" not in herald.says
        told(herald, overview)
        assert len(got) == 1
        clock.now = 31.0
        told(herald, overview)
    assert len(got) == 2
    assert "passed on" in herald.says


def test_the_address_is_kept_for_its_owner_alone(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    settings = AlertSettings(webhook="https://chat.example/secret-token")
    save_alert_settings(settings)
    if os.name == "posix":
        assert stat.S_IMODE(alerts_file().stat().st_mode) == 0o600
    assert load_alert_settings() == settings
    assert "secret-token" not in repr(settings)


def test_no_webhook_sends_nothing(overview: Overview, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path / "home"))
    assert Herald("s").consider(later(overview, 1), StoreCondition(), mount=False) is None


def test_an_alert_stands_on_the_card_with_what_to_do(app: AppMaker, store: Path) -> None:
    last = max(next((store / "runs").glob("cats*")).glob("sessions/*.json"))
    edit(last, sync={"blobs": {"ok": False, "kind": "no room", "hint": HOSTILE}})
    at = app(store)
    assert not at.exception
    full = next(w.value for w in at.warning if "The store is full" in w.value)
    assert "\\<img" in full
    assert "<img" not in full.replace("\\<img", "")


def test_a_deadline_is_set_where_it_is_read(app: AppMaker, store: Path) -> None:
    folder = next((store / "runs").glob("speech*"))
    run_id = json.loads((folder / "run.json").read_text())["run_id"]
    at = app(store)
    keep = next(b for b in at.button if b.label == "Keep" and run_id in (b.form_id or ""))
    at = keep.click().run()
    assert not at.exception
    assert json.loads((folder / "annotations.json").read_text())["deadline"]
    drop = next(b for b in at.button if b.label == "No deadline" and run_id in (b.form_id or ""))
    at = drop.click().run()
    assert json.loads((folder / "annotations.json").read_text())["deadline"] is None


def test_a_deadline_is_answered_for_each_gpu_that_the_run_has_had(app: AppMaker, store: Path) -> None:
    said = words(app(store))
    assert "On each GPU you have had it takes" in said
    assert "fits on each" in said
    assert "n = 4" in said or "n = 3" in said


def test_many_runs_have_few_cards_and_one_table_that_can_be_searched(app: AppMaker, store: Path) -> None:
    digits = next((store / "runs").glob("digits*"))
    info = json.loads((digits / "run.json").read_text())
    for n in range(20):
        copy = store / "runs" / f"digits-{n:08x}"
        copy.mkdir()
        for path in digits.rglob("*.json"):
            to = copy / path.relative_to(digits)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
        (copy / "run.json").write_text(json.dumps(info | {"run_id": f"{n:08x}", "name": f"many {n}"}))
    at = app(store)
    assert not at.exception
    assert len([b for b in at.button if b.label == "Look at it"]) == 5
    assert len(at.dataframe[0].value) == 18
    table = at.dataframe[0].value
    name = table["Run"].iloc[0]
    at = at.text_input(key="more-runs").input(name.upper()).run()
    assert name in [*at.dataframe[0].value["Run"]]
    assert len(at.dataframe[0].value) < len(table)
    at = at.text_input(key="more-runs").input("no such run").run()
    assert not at.dataframe
    assert "None of them fits" in words(at)


def test_old_numbers_say_their_age_before_they_are_read_again(app: AppMaker, store: Path, monkeypatch) -> None:
    app(store)
    kept = next(Path(os.environ["BATONPASS_HOME"]).rglob("overview.json"))
    story = json.loads(kept.read_text())
    story["read_unix_s"] = datetime.now(UTC).timestamp() - 9 * 3600
    kept.write_text(json.dumps(story))
    import streamlit as st

    from batonpass.streamlit_app.repository import Repository

    st.cache_resource.clear()
    monkeypatch.setattr(Repository, "refresh", lambda self, **_: self.view())
    said = words(app(store))
    assert "As it stood **9 h ago**" in said


@pytest.mark.parametrize(("hours", "said"), [(0.5, "fits on none"), (3.0, "**too long**")])
def test_23_hours_left_and_24_hours_of_work_is_said_for_each_gpu(
    app: AppMaker, store: Path, hours: float, said: str
) -> None:
    until = datetime.now(UTC) + timedelta(hours=hours)
    edit(next((store / "runs").glob("cats*")) / "annotations.json", deadline=until.isoformat())
    assert said in words(app(store))


def test_a_webhook_is_connected_tested_and_forgotten_in_settings_and_never_shown(app: AppMaker, store: Path) -> None:
    with chat(200) as (url, got):
        at = app(store, page="settings")
        box = next(t for t in at.text_input if "webhook" in t.label)
        assert box.proto.type == box.proto.PASSWORD
        box.input(url)
        at = next(b for b in at.button if b.label == "Keep the address").click().run()
        assert not at.exception
        assert load_alert_settings().webhook == url
        assert "secret-token" not in words(at)
        at = next(b for b in at.button if b.label == "Send a test").click().run()
        assert "a test" in got[-1]["text"]
        at = next(b for b in at.button if b.label == "Forget the address").click().run()
    assert load_alert_settings().webhook is None


def test_an_address_without_https_is_refused_calmly(app: AppMaker, store: Path) -> None:
    at = app(store, page="settings")
    next(t for t in at.text_input if "webhook" in t.label).input("http://chat.example/x")
    at = next(b for b in at.button if b.label == "Keep the address").click().run()
    assert not at.exception
    assert "https" in words(at)
    assert load_alert_settings().webhook is None


def test_nothing_can_be_set_or_sent_where_the_app_only_looks(
    app: AppMaker, store: Path, overview: Overview, monkeypatch
) -> None:
    monkeypatch.setenv("BATONPASS_READ_ONLY", "1")
    at = app(store, page="settings")
    assert not any("webhook" in t.label for t in at.text_input)
    settings = AlertSettings(webhook="https://chat.example/x", told={"s": ()})
    herald = Herald("s", settings=lambda: settings, post=lambda *_: pytest.fail("sent"))
    assert herald.consider(later(overview, 1), StoreCondition(), mount=False) is None


def test_what_has_been_silent_for_a_week_is_known_and_no_alert_any_more(overview: Overview) -> None:
    cats = cats_of(overview)
    assert kinds(cats, overview, later=timedelta(days=6)) == [AlertKind.SILENT]
    assert kinds(cats, overview, later=timedelta(days=8)) == []


@pytest.mark.parametrize("webhook", ["https://chat.example/x", None])
def test_the_store_is_read_with_no_page_open_only_while_there_is_a_webhook(webhook: str | None, monkeypatch) -> None:
    monkeypatch.setattr("batonpass.streamlit_app.herald.LOOK_EVERY_S", 0.001)
    looked, asked = threading.Event(), threading.Event()

    times = iter(range(10**9))

    def settings() -> AlertSettings:
        """The first look decides; at the second one it is over."""
        if next(times) == 0:
            return AlertSettings(webhook=webhook)
        asked.set()
        return AlertSettings()

    herald = Herald("s", settings=settings)
    watch = herald.keep_watch(looked.set)
    assert asked.wait(30)
    herald.close()
    watch.join(30)
    assert looked.is_set() == (webhook is not None)


@pytest.mark.parametrize(
    ("more", "trash", "owner"),
    [
        ({"quotaBytesUsedInTrash": "5", "user": {"emailAddress": "a@example.org"}}, 5, "a@example.org"),
        ({"quotaBytesUsedInTrash": "-5", "user": {"displayName": "Ann"}}, 0, "Ann"),
        ({"quotaBytesUsedInTrash": "much", "user": "Ann"}, 0, ""),
        ({"user": {"emailAddress": 7}}, 0, ""),
    ],
)
def test_what_lies_in_the_trash_and_whose_drive_it_is_are_told_as_far_as_drive_says(
    more: dict[str, object], trash: int, owner: str
) -> None:
    room = drive_room({"quotaBytesTotal": "100", "quotaBytesUsedAggregate": "30", **more})
    assert room == Room(70, 100, trash, owner)
