"""What the app shows of receipts, and how it writes them in the background where the user switched that on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from published import Published, publish

from batonpass.core import naming
from batonpass.core.codec import decode, encode
from batonpass.core.model import EndKind, Session
from batonpass.core.settings import read_settings
from batonpass.core.states import Word
from batonpass.streamlit_app.overview import read_overview
from batonpass.streamlit_app.preferences import load_preferences
from batonpass.streamlit_app.proving import AGAIN_S, NewestProver
from batonpass.streamlit_app.repository import Repository
from batonpass.streamlit_app.standing import read_standing
from batonpass.sync.identity import Identity
from batonpass.sync.proving import prove_arrival
from batonpass.sync.reading import read_run
from batonpass.sync.stores import open_store

LAPTOP = Identity(boot="laptop's boot", install="laptop", home="laptop's home")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """A finished run with two checkpoints on a mounted Drive."""
    (tmp_path / "mount" / "MyDrive").mkdir(parents=True)
    monkeypatch.setenv("BATONPASS_MOUNT_POINTS", str(tmp_path / "mount"))
    return publish(tmp_path / "mount" / "MyDrive" / "batonpass", tmp_path / "home", kind=EndKind.FINISHED)


class Clock:
    """A clock that only the test moves."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Switch:
    """The user's choice."""

    on = True

    def __call__(self) -> bool:
        return self.on


def make(me: Identity = LAPTOP) -> tuple[NewestProver, Clock, Switch]:
    clock, switch = Clock(), Switch()
    return NewestProver(read_settings().home, wanted=switch, clock=clock, me=lambda _home: me), clock, switch


def finish(thread: threading.Thread | None) -> None:
    assert thread is not None
    thread.join(30)
    assert not thread.is_alive()


def test_words_turn_once_a_receipt_is_there_and_a_light_reading_keeps_them(made: Published) -> None:
    store = open_store(str(made.root))
    before = read_overview(store)
    standing = read_standing(before.runs[0], before.read_at, mount=True)
    assert (standing.state.word, standing.newest.proven) == (Word.FINISHED, False)
    prove_arrival(store, before.runs[0].files, LAPTOP)
    after = read_overview(store, before)
    standing = read_standing(after.runs[0], after.read_at, mount=True)
    assert (standing.state.word, standing.newest.proven) == (Word.PROVEN, True)
    assert after.fingerprint != before.fingerprint, "the pages are drawn again"
    assert read_overview(store, after, deep=False).runs[0].files.arrived == after.runs[0].files.arrived


def test_switched_on_the_newest_checkpoint_is_read_on_another_thread_and_no_other(made: Published) -> None:
    prover, _, _ = make()
    repository = Repository(lambda: open_store(str(made.root)), None, prover=prover)
    overview = repository.refresh().overview
    for thread in threading.enumerate():
        if thread.name == "batonpass-app-proving":
            thread.join(30)
    assert read_run(open_store(str(made.root)), made.folder).arrived == {made.keys[200]}
    assert prover.says == "cats-v2, step 200: proven"
    store = open_store(str(made.root))
    assert prover.consider(store, read_overview(store, overview)) is None


def test_off_nothing_is_read(made: Published) -> None:
    prover, _, switch = make()
    switch.on = False
    store = open_store(str(made.root))
    assert prover.consider(store, read_overview(store)) is None
    assert not (made.path / "receipts").exists()


def test_where_the_store_proves_arrival_nothing_is_read(made: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATONPASS_MOUNT_POINTS")
    prover, _, _ = make()
    store = open_store(str(made.root))
    assert prover.consider(store, read_overview(store)) is None


def test_what_has_not_arrived_is_read_again_only_after_a_while(made: Published) -> None:
    (model,) = (made.path / "files").glob("200-model*")
    whole = model.read_bytes()
    model.write_bytes(whole[:100])
    prover, clock, _ = make()
    store = open_store(str(made.root))
    finish(prover.consider(store, read_overview(store)))
    assert "not arrived yet" in prover.says
    model.write_bytes(whole)
    assert prover.consider(store, read_overview(store)) is None
    clock.now_s += AGAIN_S
    finish(prover.consider(store, read_overview(store)))
    assert prover.says.endswith("proven")


def test_what_this_computer_wrote_itself_is_tried_once_and_never_again(made: Published) -> None:
    key = naming.session_file(made.folder, made.session)
    path = made.root / key
    record = decode(Session, path.read_bytes())
    path.write_bytes(encode(replace(record, host=replace(record.host, marks=LAPTOP.marks(record.id)))))
    prover, clock, _ = make()
    store = open_store(str(made.root))
    finish(prover.consider(store, read_overview(store)))
    assert "not for this machine to prove" in prover.says
    clock.now_s += 1e9
    assert prover.consider(store, read_overview(store)) is None


def test_switched_off_while_it_reads_it_stops_and_leaves_no_receipt(made: Published) -> None:
    prover, _, _ = make()
    asked = iter([True, False])
    prover._wanted = lambda: next(asked, False)
    store = open_store(str(made.root))
    finish(prover.consider(store, read_overview(store)))
    assert "switched off" in prover.says
    assert not (made.path / "receipts").exists()
    assert not prover._busy.locked()


def test_the_switch_is_off_says_what_it_costs_and_is_remembered(app, made: Published) -> None:
    at = app(made.root, page="settings")
    assert not at.toggle(key="receipts").value
    assert any("downloads the whole checkpoint" in caption.value for caption in at.caption)
    at.toggle(key="receipts").set_value(True).run()
    assert load_preferences().receipts


def test_where_the_store_proves_arrival_there_is_no_such_switch(app, store: Path) -> None:
    at = app(store, page="settings")
    assert not any(toggle.key == "receipts" for toggle in at.toggle)
