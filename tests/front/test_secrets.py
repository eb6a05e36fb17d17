"""Nothing secret leaves: a login and a whole run on Drive under faults, every logger at DEBUG, then every place is searched for what
the Drive handed out. Allowed are the token's own 0600 file and the journal's column for half-done uploads.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import stat
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from drive_emulator.person import write_client
from front_training import arrived, model_and_optimizer, start, train

import batonpass.sync.login as logging_in
from batonpass.core.errors import BatonpassError
from batonpass.core.settings import read_settings
from batonpass.core.storage import Transfer
from batonpass.sync.drive import http
from batonpass.sync.journal import Artifact, Journal, State
from batonpass.sync.login import login
from batonpass.sync.stores import open_store

URL = f"gdrive://secrets-{os.getpid()}"
CLIENT_SECRET = "GOCSPX-the-clients-own-secret"
WIDE = 220_000
"""A model so wide that its files go up in resumable sessions."""


class Places:
    """Everything that was said, raised, logged or written."""

    def __init__(self, capfd, caplog, home: Path) -> None:
        self.capfd, self.caplog, self.home = capfd, caplog, home
        self.texts: dict[str, str] = {}

    def note(self, place: str, text: str) -> None:
        self.texts[place] = self.texts.get(place, "") + text

    def raised(self, work) -> None:
        """What a failing call raises, with everything that is chained to it."""
        with pytest.raises(BatonpassError) as caught:
            work()
        error: BaseException | None = caught.value
        self.note("raised", "".join(traceback.format_exception(error)))
        while error is not None:
            self.note("raised", f"{error!r} {error} {vars(error)} {error.args}")
            error = error.__cause__ or error.__context__

    def look(self, token_file: Path, store_url: str | None = None) -> None:
        """Take in what there is now."""
        out, err = self.capfd.readouterr()
        self.note("printed", out + err)
        formatter = logging.Formatter("%(name)s %(message)s %(exc_text)s")
        self.note("logged", "".join(f"{formatter.format(r)} {r.args!r} {r.msg!r}\n" for r in self.caplog.records))
        for path in (p for p in self.home.rglob("*") if p.is_file() and p != token_file):
            if path.name.endswith(("-wal", "-shm")) or path.read_bytes()[:15] == b"SQLite format 3":
                self._look_into(path)
            else:
                self.note(f"home/{path.relative_to(self.home)}", path.read_bytes().decode("latin-1"))
        if store_url is not None:
            store = open_store(store_url)
            for info in store.list_objects(""):
                self.note(f"store/{info.key}", store.get(info.key, store_id=info.id).decode("latin-1"))
            store.close()

    def _look_into(self, path: Path) -> None:
        """A journal: only its owner may read it or what SQLite keeps beside it; all but the one column is searched."""
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        if path.name.endswith(("-wal", "-shm")):
            return
        db = sqlite3.connect(path)
        for row in db.execute("SELECT key, sha256, size_bytes, state, store_id FROM artifact"):
            self.note("journal", f"{row}\n")
        db.close()

    def leaks(self, secrets: list[str]) -> set[str]:
        """The places in which a secret lies, as it is or as a URL writes it."""
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        return {place for place, text in self.texts.items() if any(form in text for form in forms)}


@pytest.fixture
def places(capfd, caplog, tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("BATONPASS_HOME", str(home))
    caplog.set_level(logging.DEBUG)
    before = {n: (each.level, each.disabled) for n, each in _loggers()}
    for _, each in _loggers():
        each.setLevel(logging.DEBUG)
        each.disabled = False
    yield Places(capfd, caplog, home)
    for name, (level, disabled) in before.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).disabled = disabled


def _loggers():
    return [(n, each) for n, each in logging.Logger.manager.loggerDict.items() if isinstance(each, logging.Logger)]


@pytest.fixture
def handed_out(emulator):
    """Every secret that the Drive gives to anybody during the test."""
    before = len(emulator.control("secrets"))
    return lambda: [*emulator.control("secrets")[before:], CLIENT_SECRET]


@pytest.fixture
def token_file(handed_out, person, emulator, tmp_path, monkeypatch, places):
    """The token of a person who has just signed in, in its own file, and this process set up to use it."""
    client = write_client(tmp_path / "client.json", emulator.url, CLIENT_SECRET)
    path = login(client, places.home / "drive-token.json")
    for visit in person:
        visit.join()
    monkeypatch.setenv("BATONPASS_DRIVE_TOKEN", str(path))
    monkeypatch.setenv("BATONPASS_DRIVE_ENDPOINT", emulator.url)
    monkeypatch.setenv("BATONPASS_LEASE_S", "1")
    return path


_LOUD = "import logging, sys; logging.basicConfig(level=0); from batonpass.__main__ import main; sys.exit(main())"


def command(*words: str) -> int:
    """A command as a process of its own, every logger at DEBUG; what it prints is captured with all else."""
    return subprocess.run([sys.executable, "-c", _LOUD, *words, "--store", URL], timeout=120, check=False).returncode


def misbehave(emulator) -> None:
    emulator.fault("answer", op="upload.put", times=2, status=503)
    emulator.fault("reset", op="upload.put", times=2, after_bytes=1 << 20)
    emulator.fault("answer", op="files.*", times=3, skip=5, status=502, html=True)
    emulator.fault("answer", op="files.*", times=1, skip=9, status=401, reason="authError")
    emulator.fault("lost", op="files.insert", times=1, status=0)


def half_an_upload(emulator, places) -> None:
    """A session that makes no progress, as an error and as a token that its caller keeps."""
    store = open_store(URL)
    emulator.fault("reset", op="upload.put", times=0, after_bytes=0)
    transfer = Transfer()
    places.raised(lambda: store.put("big.bin", bytes(6 << 20), transfer=transfer))
    assert transfer.token, "there was an address to hide"
    places.note(
        "said",
        f"{transfer!r} {Artifact('k', '', 1, State.SENDING, None, transfer.token)!r} {store!r} {store.credential!r}",
    )
    emulator.control("clear_faults")
    store.close()


def test_a_login_and_a_run_under_faults_leave_no_secret_anywhere(token_file, emulator, places, handed_out, monkeypatch):
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    model, optimizer = model_and_optimizer(WIDE)
    run = start(URL).attach(model=model, optimizer=optimizer)
    misbehave(emulator)
    train(run, model, optimizer, stop_at=3)
    assert arrived(run)
    places.look(token_file)  # while the journal is open and its neighbours are there
    half_an_upload(emulator, places)
    snippet = ["snippet", "cats", "--for", "kaggle"]
    for words in (["status", "cats", "--json"], ["verify", "cats"], ["doctor"], ["agent", "put"], snippet):
        assert command(*words) == 0, words
    places.look(token_file, URL)
    emulator.control("revoke", refresh_token=json.loads(token_file.read_text())["refresh_token"])
    emulator.control("expire_tokens")
    train(run, model, optimizer, stop_at=5)
    run._saver.wait(20)
    run._active.service.drain(0.5)
    places.note("said", f"{run.status()!r} {run.status()} {run!r}")
    with contextlib.closing(open_store(URL)) as store:
        places.raised(lambda: store.stat("batonpass.json"))
    monkeypatch.setenv("BATONPASS_DRIVE_TOKEN", token_file.read_text())
    places.note("said", repr(read_settings()))
    assert command("doctor") != 0
    run.leave("closed", "")
    places.look(token_file)
    secrets = handed_out()
    kinds = {secret.split("-")[0] for secret in secrets}
    assert {"ya29.access", "1//refresh", "AEnB2U", "GOCSPX"} <= kinds, "every kind was in play"
    assert {"printed", "logged", "raised", "said", "journal"} < places.texts.keys()
    assert any(place.startswith("store/") for place in places.texts)
    assert any("urllib3" in line for line in places.texts["logged"].splitlines()), "DEBUG was really on"
    assert places.leaks(secrets) == set()


@pytest.mark.parametrize("place", ["printed", "logged", "home/notes.txt", "store/runs/x.json", "raised"])
def test_a_planted_secret_is_found(place, token_file, places, handed_out):
    """The control: whatever place it is put into, the search says which."""
    secret = json.loads(token_file.read_text())["refresh_token"]
    if place == "printed":
        os.write(1, f"here: {secret}\n".encode())
    elif place == "logged":
        logging.getLogger("somebody").debug("here: %s", quote(secret, safe=""))
    elif place == "home/notes.txt":
        (places.home / "notes.txt").write_text(secret)
    elif place == "raised":

        def fail():
            try:
                int(secret)
            except ValueError:
                raise BatonpassError("no word of it") from None

        places.raised(fail)
    else:
        store = open_store(URL)
        store.put("runs/x.json", secret.encode())
        store.close()
    places.look(token_file, URL if place.startswith("store/") else None)
    assert places.leaks(handed_out()) == {place}


def test_without_its_filter_the_log_would_tell_an_uploads_address(token_file, places, handed_out, monkeypatch):
    """The second control: what keeps the address out of the log is ours, and the search would notice its absence."""
    logger = logging.getLogger("urllib3.connectionpool")
    mine = [each for each in logger.filters if isinstance(each, http._HideSessions)]
    assert mine
    monkeypatch.setattr(logger, "filters", [])
    store = open_store(URL)
    store.put("big.bin", bytes(5 << 20))
    store.close()
    places.look(token_file)
    assert places.leaks(handed_out()) == {"logged"}


def test_a_login_without_its_silence_would_be_logged(token_file, places, handed_out, monkeypatch, tmp_path):
    """The third control: the libraries of the login do log codes and tokens."""
    monkeypatch.setattr(logging_in, "_untold", contextlib.nullcontext)
    for _, each in _loggers():
        each.setLevel(logging.DEBUG)
    login(tmp_path / "client.json", token_file)
    places.look(token_file)
    assert "logged" in places.leaks(handed_out())


def test_a_loose_journal_is_closed_when_it_is_opened(tmp_path):
    """The file and what SQLite keeps beside it are for their owner only, whatever the umask and the older rights."""
    before = os.umask(0)
    try:
        (tmp_path / "journal.sqlite").touch(mode=0o666)
        journal = Journal(tmp_path / "journal.sqlite")
        journal.put(Artifact("a", "0" * 64, 1, State.SENDING, None, "https://an/address"))
        names = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
        journal.close()
    finally:
        os.umask(before)
    assert len(names) == 3
    assert set(names.values()) == {0o600}
