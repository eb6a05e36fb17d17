"""What a Drive store does when the network and Google misbehave. Every test proves that its fault was met."""

from __future__ import annotations

import errno
import io
import logging
import re
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from batonpass.core.errors import (
    ConflictError,
    NotFoundError,
    SignInError,
    StoreError,
    StoreFullError,
    StoreUnreachableError,
)
from batonpass.core.storage import ABSENT, Transfer
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore

BIG = "runs/cats-1f2e3d4c/files/100-model-abababab.safetensors"
HEAD = "runs/cats-1f2e3d4c/head.json"
UNIT = 256 * 1024


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """12 MiB and a bit, so that it goes through a resumable session."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(range(256)) * 4 * 1024 * 12 + b"tail")
    return path


def content(store, key: str) -> bytes:
    to = io.BytesIO()
    store.fetch(key, to)
    return to.getvalue()


class BadSector(type(Path())):
    """A file that opens and cannot be read to its end."""

    def open(self, *_args, **_kwargs):
        file = io.BytesIO()
        file.read = self._fail
        return file

    def _fail(self, _count):
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("spoil", ["gone", "a folder", "bad sector"])
def test_a_local_file_that_cannot_be_read_is_no_trouble_of_drives(drive, big, tmp_path, spoil):
    """It was there when it was measured. Said with its path, and not tried again as if Drive had not answered."""
    body = {"gone": big, "a folder": tmp_path, "bad sector": BadSector(big)}[spoil]
    gone = Transfer(on_token=lambda token: big.unlink(missing_ok=True) if token else None)
    with pytest.raises(StoreError, match=re.escape(f"local file {body} cannot be read")) as caught:
        drive.put(BIG, body, transfer=gone if spoil == "gone" else None)
    assert type(caught.value) is StoreError
    assert caught.value.hint


@pytest.mark.parametrize("status", [503, 0])
def test_a_lost_answer_to_a_small_create_makes_no_twin(drive, emulator, status):
    """The create was done, its answer lost (503, or the connection reset): the next try recognises it."""
    emulator.fault("lost", op="files.insert", status=status, skip=3)  # after the three folders
    with pytest.raises(StoreUnreachableError):
        drive.put(HEAD, b"{}", expect=ABSENT)
    info = drive.put(HEAD, b"{}", expect=ABSENT)
    assert emulator.struck("lost")
    assert drive.get(HEAD) == b"{}"
    assert [
        f["id"] for f in emulator.files("head.json") if f["id"] == info.id or f["owner"] == _owner(emulator, info)
    ] == [info.id]


def test_a_lost_answer_to_a_create_with_a_given_id_makes_no_twin(drive, emulator):
    """The same with an id of the caller's, and without ABSENT."""
    (new_id,) = drive.new_ids(1)
    drive.put("a.json", b"x")
    emulator.fault("lost", op="files.insert")
    with pytest.raises(StoreUnreachableError):
        drive.put("b.json", b"body", store_id=new_id)
    assert drive.put("b.json", b"body", store_id=new_id).id == new_id
    assert [o.key for o in drive.list_objects("")] == ["a.json", "b.json"]
    assert drive.put("b.json", b"newer", store_id=new_id).id == new_id
    assert drive.get("b.json") == b"newer"


@pytest.mark.parametrize("status", [503, 0])
def test_a_lost_answer_to_a_small_create_sends_no_byte_twice(drive, emulator, status):
    """The next try asks first; only where nothing was made does the body go out again."""
    body = b"x" * 500_000
    drive.put("a/first.json", b"x")
    emulator.control("reset_log")
    for name, kind in (("made.bin", "lost"), ("not-made.bin", "answer")):
        emulator.fault(kind, op="files.insert", status=status or 503)
        (new_id,) = drive.new_ids(1)
        with pytest.raises(StoreUnreachableError):
            drive.put(f"a/{name}", body, store_id=new_id)
        assert drive.put(f"a/{name}", body, store_id=new_id).id == new_id
        assert drive.get(f"a/{name}") == body
    assert emulator.struck("lost")
    assert 1_500_000 < emulator.log()["bytes_in"] < 1_505_000


@pytest.mark.parametrize("status", [503, 0])
def test_a_lost_answer_to_a_folder_makes_no_twin(drive, emulator, account, status):
    """A folder whose creation was answered by nothing is found again under its id."""
    emulator.fault("lost", op="files.insert", status=status)
    for _ in range(2):
        try:
            drive.put("a.json", b"x")
        except StoreUnreachableError:
            continue
    assert emulator.struck("lost")
    folders = [f for f in emulator.files("batonpass") if f["owner"] == account]
    assert len(folders) == 1


def test_a_lost_answer_to_a_large_upload_sends_nothing_twice(drive, emulator, big):
    """The session is asked and says 200: no byte goes out again."""
    drive.put("a.json", b"x")
    emulator.control("reset_log")
    emulator.fault("lost", op="upload.put")
    info = drive.put(BIG, big)
    assert emulator.struck("lost")
    assert info.size_bytes == big.stat().st_size
    assert emulator.log()["bytes_in"] < 1.01 * big.stat().st_size
    assert content(drive, BIG) == big.read_bytes()


def test_a_reset_in_the_middle_continues_at_the_offset(drive, emulator, big):
    """Three resets in one upload cost no more than what the server did not keep."""
    emulator.fault("reset", op="upload.put", after_bytes=3 * 1024 * 1024 + 17, times=3)
    seen: list[int] = []
    drive.put(BIG, big, transfer=Transfer(on_progress=lambda sent, _total: seen.append(sent)))
    assert emulator.struck("reset")
    assert emulator.log()["bytes_in"] <= big.stat().st_size + 3 * UNIT + 20_000
    assert content(drive, BIG) == big.read_bytes()
    assert seen == sorted(seen)


def test_a_503_in_the_middle_continues_at_the_offset(drive, emulator, big):
    """Refused at a byte and cut off there: what was kept before it does not go out again. The refusal may be lost in the cut,
    or leave a dead connection behind for the next question: then it is the second try that continues.
    """
    drive.put("a.json", b"x")
    emulator.control("reset_log")
    emulator.fault("early", op="upload.put", at_bytes=7 * 1024 * 1024 + 17)
    RetryStore(drive, wait=lambda _seconds: False).put(BIG, big, transfer=Transfer())
    assert emulator.struck("early")
    assert emulator.log()["bytes_in"] <= big.stat().st_size + UNIT + 20_000
    assert emulator.log()["bytes_lost"] <= UNIT
    assert content(drive, BIG) == big.read_bytes()


def test_a_short_308_is_believed(drive, emulator, big):
    """The server keeps less than was sent; the next PUT begins where the server says."""
    emulator.fault("short", op="upload.put", keep_bytes=5 * 1024 * 1024)
    drive.put(BIG, big)
    assert emulator.struck("short")
    assert content(drive, BIG) == big.read_bytes()


def test_a_server_that_keeps_nothing_ends_the_try(drive, emulator, big):
    """Without progress the try ends with an error instead of a busy loop, and can be continued."""
    emulator.fault("short", op="upload.put", keep_bytes=0)
    transfer = Transfer()
    with pytest.raises(StoreUnreachableError):
        drive.put(BIG, big, transfer=transfer)
    assert transfer.token
    drive.put(BIG, big, transfer=transfer)
    assert transfer.token is None
    assert content(drive, BIG) == big.read_bytes()


@pytest.mark.parametrize("status", [404, 410])
def test_a_forgotten_session_begins_again_under_the_same_id(drive, emulator, big, status):
    """One file, one id, no hand needed."""
    (new_id,) = drive.new_ids(1)
    emulator.fault("gone", op="upload.put", status=status)
    tokens: list[str | None] = []
    info = drive.put(BIG, big, store_id=new_id, transfer=Transfer(on_token=tokens.append))
    assert emulator.struck("gone")
    assert info.id == new_id
    assert len({t for t in tokens if t}) == 2
    assert tokens[-1] is None
    assert content(drive, BIG) == big.read_bytes()


def test_a_session_is_told_before_the_first_byte(drive, big):
    """`on_token` comes before any progress, so that a process killed later left its word."""
    told: list[str] = []
    drive.put(
        BIG,
        big,
        transfer=Transfer(
            on_token=lambda token: told.append("token" if token else "end"),
            on_progress=lambda _sent, _total: told.append("progress"),
        ),
    )
    assert told[0] == "token"
    assert told[-2] == "end"


@pytest.mark.parametrize("kind", ["html", "json", "429", "403", "reset"])
@pytest.mark.parametrize(
    "op",
    ["files.list", "files.get", "files.insert", "files.update", "media.get", "files.delete", "upload.put", "token"],
)
def test_every_call_survives_a_bad_moment(drive, emulator, big, op, kind):
    """HTML from a proxy, 503, 429, a 403 that means "slower", a reset: a plain repeat of the call succeeds."""
    fault = {
        "html": {"kind": "answer", "status": 502, "html": True},
        "json": {"kind": "answer", "status": 503},
        "429": {"kind": "answer", "status": 429, "retry_after_s": 7},
        "403": {"kind": "answer", "status": 403, "reason": "userRateLimitExceeded"},
        "reset": {"kind": "reset"},
    }[kind]
    if op == "token" and kind == "403":
        pytest.skip("the token endpoint has no such answer")
    version = drive.put(HEAD, b"1").version
    transfer = Transfer()
    calls = {
        "files.list": lambda: drive.list_objects("runs/"),
        "files.get": lambda: drive.stat(HEAD),
        "files.insert": lambda: drive.put("b.json", b"b"),
        "files.update": lambda: drive.put(HEAD, b"2", expect=version),
        "media.get": lambda: drive.get(HEAD),
        "files.delete": lambda: drive.delete(HEAD),
        "upload.put": lambda: drive.put(BIG, big, transfer=transfer),
        "token": lambda: drive.stat(HEAD),
    }
    if op == "token":
        emulator.control("expire_tokens")
    emulator.fault(op=op, **fault)
    failure = _failure(calls[op])
    if failure is not None:
        assert isinstance(failure, StoreUnreachableError)
        calls[op]()
    if kind == "429" and op != "token":
        assert failure.retry_after_s == 7
    assert not emulator.control("pending_faults")


def test_a_full_drive_is_said_at_once_and_small_things_go_on(drive, emulator, account, big):
    """StoreFullError is permanent and has a hint; what still fits is written; after making room the same put succeeds."""
    drive.put(HEAD, b"1")
    emulator.control("account", email=account, quota_bytes=1_000_000)
    with pytest.raises(StoreFullError) as caught:
        drive.put(BIG, big)
    assert caught.value.permanent
    assert "room" in caught.value.hint
    drive.put(HEAD, b"2")
    emulator.control("account", email=account, quota_bytes=1 << 30)
    drive.put(BIG, big)
    assert content(drive, BIG) == big.read_bytes()


def test_an_access_token_that_expires_is_replaced_silently(drive, emulator, big):
    """401 in the middle of everything: one refresh, nothing to see."""
    drive.put(HEAD, b"1")
    emulator.control("expire_tokens")
    drive.put(HEAD, b"2")
    emulator.control("expire_tokens")
    assert drive.stat(HEAD).size_bytes == 1
    emulator.fault("answer", op="upload.put", status=401, reason="authError")
    drive.put(BIG, big)
    assert content(drive, BIG) == big.read_bytes()


def test_a_revoked_sign_in_says_so_and_what_to_do(drive, emulator, drive_settings):
    """invalid_grant is final: SignInError with the likely causes, from both libraries that speak to Drive."""
    drive.put(HEAD, b"1")
    refresh_token = re.search(r'"refresh_token": "([^"]+)"', drive_settings.drive_token)[1]
    emulator.control("revoke", refresh_token=refresh_token)
    for call in (lambda: drive.stat(HEAD), lambda: drive.get(HEAD), lambda: drive.put(HEAD, b"2")):
        with pytest.raises(SignInError) as caught:
            call()
        assert "batonpass login" in caught.value.hint
        assert "7 days" in caught.value.hint
        assert refresh_token not in _everything(caught.value)


@pytest.mark.parametrize(
    "scope", ["https://www.googleapis.com/auth/userinfo.email", "https://www.googleapis.com/auth/drive.readonly"]
)
def test_a_scope_that_is_too_narrow_is_a_sign_in_error(open_drive, drive_settings, emulator, account, scope):
    """Not "not found", not "unreachable": the sign-in is what to change."""
    narrow = open_drive(replace(drive_settings, drive_token=emulator.token(account, scopes=(scope,))))
    with pytest.raises(SignInError) as caught:
        narrow.put(HEAD, b"1")
    assert "login" in caught.value.hint


def test_an_answer_lost_after_a_swap_is_recognised(drive, emulator, open_drive):
    """The swap was done, its answer lost: repeating it is a success, not a conflict with oneself."""
    version = drive.put(HEAD, b"one", expect=drive.put(HEAD, b"zero").version).version
    emulator.fault("lost", op="files.update")
    with pytest.raises(StoreUnreachableError):
        drive.put(HEAD, b"two", expect=version)
    info = drive.put(HEAD, b"two", expect=version)
    assert info.version == drive.stat(HEAD).version != version


def test_another_writer_between_is_still_a_conflict(drive, emulator, open_drive):
    """The swap's answer was lost, and somebody else wrote since: that is a conflict."""
    other = open_drive()
    version = drive.put(HEAD, b"one", expect=drive.put(HEAD, b"zero").version).version
    emulator.fault("lost", op="files.update")
    with pytest.raises(StoreUnreachableError):
        drive.put(HEAD, b"two", expect=version)
    other.put(HEAD, b"three")
    with pytest.raises(ConflictError):
        drive.put(HEAD, b"two", expect=version)
    assert drive.get(HEAD) == b"three"


def test_equal_bytes_do_not_hide_a_conflict(drive, open_drive):
    """Without a lost answer, a stale version is a conflict even where the bytes happen to be equal."""
    version = drive.put(HEAD, b"one").version
    open_drive().put(HEAD, b"two")
    with pytest.raises(ConflictError):
        drive.put(HEAD, b"two", expect=version)


def test_a_download_continues_where_it_broke(drive, emulator, big):
    """A body cut twice arrives whole, each byte once."""
    drive.put(BIG, big)
    emulator.control("reset_log")
    emulator.fault("reset", op="media.get", after_bytes=4_000_000, times=2)
    assert content(drive, BIG) == big.read_bytes()
    assert emulator.struck("reset")


def test_a_download_never_mixes_versions(drive, emulator, open_drive, big, tmp_path):
    """The object is replaced while a reader's connection is broken: the reader is told."""
    drive.put(BIG, big)
    reader = open_drive()
    changed = False

    def replace_it(_at: int, _end: int) -> None:
        nonlocal changed
        if not changed:
            changed = True
            drive.put(BIG, big.read_bytes()[::-1])

    emulator.fault("reset", op="media.get", after_bytes=4_000_000)
    with pytest.raises(ConflictError):
        reader.fetch(BIG, io.BytesIO(), transfer=Transfer(on_progress=replace_it))
    assert changed


def test_secrets_stand_in_no_error_and_no_log(drive, emulator, drive_settings, big, caplog):
    """With every logger at DEBUG, and whatever goes wrong: no token and no session's URL."""
    caplog.set_level(logging.DEBUG)
    tokens: list[str | None] = []
    errors: list[StoreError | None] = []
    for fault in (
        {"kind": "reset", "op": "upload.put|upload.query", "times": 2},
        {"kind": "answer", "op": "upload.put", "status": 502, "html": True},
        {"kind": "answer", "op": "upload.put", "status": 403, "reason": "quotaExceeded"},
        {"kind": "answer", "op": "upload.put", "status": 403, "reason": "domainPolicy"},
        {"kind": "answer", "op": "token", "status": 400, "reason": "x"},
    ):
        if fault["op"] == "token":
            emulator.control("expire_tokens")
        emulator.fault(**fault)
        errors.append(_failure(lambda: drive.put(BIG, big, transfer=Transfer(on_token=tokens.append))))
    assert None not in errors
    assert not [e for e in errors if e.__cause__ or e.__context__]
    session = next(t for t in tokens if t)
    access_token = drive._http.credential.google.token
    everything = caplog.text + "".join(_everything(e) for e in errors)
    assert "upload_id=[hidden]" in everything
    refresh_token = re.search(r'"refresh_token": "([^"]+)"', drive_settings.drive_token)[1]
    for secret in (session, session.partition("upload_id=")[2], access_token, refresh_token, "GOCSPX"):
        assert secret not in everything


def test_an_id_of_somebody_elses_file_is_not_touched(open_drive, drive_settings, emulator, account):
    """An id that came from a damaged record is neither deleted nor overwritten, even where the sign-in could."""
    full = open_drive(
        replace(drive_settings, drive_token=emulator.token(account, scopes=("https://www.googleapis.com/auth/drive",)))
    )
    thesis = open_drive(url="gdrive://studies")
    foreign = thesis.put("thesis.txt", b"years of work").id
    full.put(HEAD, b"1")
    with pytest.raises(StoreError):
        full.delete(HEAD, store_id=foreign)
    with pytest.raises(StoreError):
        full.put(HEAD, b"2", store_id=foreign)
    with pytest.raises(NotFoundError):
        full.stat(HEAD, store_id=foreign)
    assert thesis.get("thesis.txt") == b"years of work"


def test_trash_is_not_written_into(drive, emulator):
    """What the user threw away is missing, and said so, until it is restored or the trash is emptied."""
    info = drive.put(HEAD, b"1")
    emulator.control("trash", file_id=info.id)
    for call in (lambda: drive.stat(HEAD), lambda: drive.put(HEAD, b"2"), lambda: drive.put(HEAD, b"2")):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert "trash" in caught.value.message
    assert len([f for f in emulator.files("head.json") if f["id"] == info.id]) == 1


def test_the_clock_is_the_servers(drive, emulator, drive_settings, open_drive):
    """`now` follows the server, not this machine; what was just written is young by it."""
    emulator.control("settings", clock_skew_s=7200)
    late = open_drive()
    info = late.put(HEAD, b"1")
    assert abs((late.now() - info.modified).total_seconds()) < 5
    emulator.control("settings", clock_skew_s=0)
    assert (late.now() - drive.now()).total_seconds() > 7000


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_doubled_in_a_storm(open_drive, emulator, account, big, seed):
    """Every fifth call goes wrong, in every way there is: with retry around it, each object ends up there once, and whole."""
    store = RetryStore(open_drive(), wait=lambda _seconds: False, backoff=Backoff(limit_s=1e9))
    emulator.control("seed", seed=seed)
    struck_before = sum(emulator.control("struck").values())
    calls = "files.*|media.get|upload.*"
    for fault in (
        {"kind": "answer", "status": 503},
        {"kind": "answer", "status": 502, "html": True},
        {"kind": "answer", "status": 429, "retry_after_s": 1},
        {"kind": "lost", "status": 503},
        {"kind": "lost", "status": 0},
        {"kind": "reset", "after_bytes": 1_000_000},
    ):
        emulator.fault(op=calls, times=0, chance=0.035, **fault)
    emulator.fault("gone", op="upload.put", times=0, chance=0.1, status=410)
    emulator.fault("short", op="upload.put", times=0, chance=0.2, keep_bytes=3_000_000)
    bodies = {f"runs/a-11111111/files/{i}.bin": b"%d" % i for i in range(12)}
    for key, body in bodies.items():
        store.put(key, body)
    version = store.put(HEAD, b"0", expect=ABSENT).version
    for i in range(1, 20):
        version = store.put(HEAD, b"%d" % i, expect=version).version
    store.put(BIG, big, transfer=Transfer())
    assert {key: store.get(key) for key in bodies} == bodies
    assert store.get(HEAD) == b"19"
    assert content(store, BIG) == big.read_bytes()
    emulator.control("clear_faults")
    mine = [(f["title"], tuple(f["parents"])) for f in emulator.files() if f["owner"] == account]
    assert len(mine) == len(set(mine)) == 12 + 2 + 6
    assert sum(emulator.control("struck").values()) - struck_before > 8


def _failure(call) -> StoreError | None:
    try:
        call()
    except StoreError as error:
        return error
    return None


def _owner(emulator, info) -> str:
    return next(f["owner"] for f in emulator.files() if f["id"] == info.id)


def _everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)) + repr(error.__context__)
