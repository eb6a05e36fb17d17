"""The four ways to sign in, each walked from its beginning to bytes that another reader sees, and how each can go wrong."""

from __future__ import annotations

import json
import sys
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from drive_emulator.person import write_client
from legs import Leg, leg

import batonpass.sync.login as logging_in
from batonpass.core.errors import (
    ConflictError,
    NotFoundError,
    SignInError,
    StoreError,
    StoreFullError,
    StoreUnreachableError,
)
from batonpass.core.settings import Settings
from batonpass.core.trouble import Kind
from batonpass.sync.doctor import diagnose
from batonpass.sync.login import login
from batonpass.sync.reading import find_run_folder, read_run
from batonpass.sync.sign_in import TOKEN_FILE, credential_file, find_credential
from batonpass.sync.stores import open_store
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.retry import RetryStore

FULL = "https://www.googleapis.com/auth/drive"


def refresh_token_of(text: str) -> str:
    return str(json.loads(text)["refresh_token"])


def check(settings: Settings, name: str, url: str = "gdrive://batonpass"):
    return next(c for c in diagnose(url, settings) if c.name == name)


def swapped(store, body: bytes, version: str) -> str | None:
    try:
        return store.put("head.json", body, expect=version).version
    except ConflictError:
        return None


# (a) no sign-in of ours


def test_a_mount_on_colab_and_a_folder_on_the_laptop_need_no_sign_in(tmp_path, emulator):
    """Written through one, read through the other; nobody asks Google for anything."""
    mount = tmp_path / "drive"
    (mount / "MyDrive").mkdir(parents=True)
    colab = Settings(home=tmp_path / "home", mount_points=(mount,))
    store = open_store(str(mount / "MyDrive" / "batonpass"), colab)
    with leg(store, tmp_path / "home") as one:
        one.train(5)
        one.save()
    laptop = open_store(str(mount / "MyDrive" / "batonpass"), Settings(home=tmp_path / "laptop"))
    run = read_run(laptop, find_run_folder(laptop, "cats"))
    assert [c.step for c in run.sessions[0].session.checkpoints] == [5]
    assert emulator.log()["requests"] == 0


# (b) one's own client, and one owner's token on every host


@pytest.fixture
def consent(emulator):
    """What the person does at Google's page; yes again afterwards."""
    yield lambda answer: emulator.control("consent", answer=answer)
    emulator.control("consent", answer="yes")


@pytest.fixture
def client(emulator, tmp_path):
    return write_client(tmp_path / "client.json", emulator.url)


@pytest.mark.usefixtures("person")
def test_one_owners_token_serves_every_host(client, emulator, open_drive, tmp_path):
    """One login; as a file on the laptop, as text in a notebook's secret; one owner, and each may delete what the other wrote."""
    token = login(client, tmp_path / "token.json", say=lambda _: None)
    laptop = open_drive(Settings(tmp_path, drive_token=str(token), drive_endpoint=emulator.url), "gdrive://four-b")
    kaggle = open_drive(
        Settings(tmp_path, drive_token=token.read_text(), drive_endpoint=emulator.url), "gdrive://four-b"
    )
    assert kaggle.put("a.json", b"x").owner == "ann"
    assert laptop.get("a.json") == b"x"
    laptop.delete("a.json")
    with pytest.raises(NotFoundError):
        kaggle.get("a.json")


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize(("answer", "word", "hint"), [("no", "no", "yes"), ("unticked", "allowed", "tick the box")])
def test_a_denied_or_unticked_consent_is_said_in_words(answer, word, hint, client, consent, tmp_path):
    consent(answer)
    with pytest.raises(SignInError) as caught:
        login(client, tmp_path / "token.json", say=lambda _: None)
    assert word in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.__context__ is None
    assert not (tmp_path / "token.json").exists()


def test_a_browser_that_nobody_answers_ends_the_login(client, monkeypatch, tmp_path):
    """It waits, then says so."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(logging_in, "_WAIT_S", 0.05)
    monkeypatch.setattr(webbrowser, "get", lambda *_: type("Nobody", (), {"open": lambda *_a, **_k: True})())
    with pytest.raises(SignInError, match="nobody answered"):
        login(client, tmp_path / "token.json", say=lambda _: None)


def test_a_token_without_drive_is_refused_before_anything_is_sent_to_drive(
    drive_settings, emulator, account, open_drive
):
    """The box was unticked: the words say so, and the Drive is not asked."""
    narrow = replace(drive_settings, drive_token=emulator.token(account, scopes=("openid",)))
    with pytest.raises(SignInError) as caught:
        open_drive(narrow).put("a.json", b"x")
    assert "tick the box" in caught.value.hint
    assert set(emulator.log()["by_op"]) == {"token"}
    assert not check(narrow, "sign-in").ok


@pytest.fixture
def token_file(emulator, account, tmp_path) -> Path:
    path = tmp_path / "token.json"
    path.write_text(emulator.token(account))
    return path


@pytest.fixture
def training(open_drive, drive_settings, token_file, tmp_path):
    """A session whose token came from a file, with a store that leaves the trying again to the lanes."""
    store = RetryStore(open_drive(replace(drive_settings, drive_token=str(token_file))), backoff=Backoff(limit_s=0.0))
    one = Leg(store, tmp_path / "home")
    one.active.start()
    yield one
    one.die()


def die_in_the_middle(emulator, token_file):
    """What revoking, a changed password and the seven days of a consent screen in Testing look like."""
    emulator.control("revoke", refresh_token=refresh_token_of(token_file.read_text()))
    emulator.control("expire_tokens")


def save(one: Leg, drain_s: float) -> bool:
    one.train(5)
    one.active.enqueue(*one.commit())
    return one.active.service.drain(drain_s)


def test_a_sign_in_that_dies_in_the_middle_says_what_to_do_and_a_new_token_in_the_file_heals_it(
    training, emulator, token_file, account
):
    """Training goes on, each lane complains once, and nobody has to restart anything."""
    assert save(training, 20)
    die_in_the_middle(emulator, token_file)
    for _ in range(3):
        assert not save(training, 0.3)
    lane = training.active.service.state()["blobs"]
    assert lane["kind"] == Kind.NEEDS_LOGIN
    assert "batonpass login" in lane["hint"]
    assert "7 days" in lane["hint"]
    complaints = [line for line in training.said if "blobs" in line and "sign-in" in line]
    assert len(complaints) <= 1
    token_file.write_text(emulator.token(account))
    assert save(training, 20)
    run = read_run(training.joined.store, training.joined.folder)
    assert run.sessions[0].session.checkpoints[-1].step == training.step
    assert training.active.service.state()["blobs"]["ok"]


def test_without_a_new_token_it_stays_broken(training, emulator, token_file):
    """The control for the test above: what heals is the file, not the time."""
    assert save(training, 20)
    die_in_the_middle(emulator, token_file)
    token_file.touch()
    for _ in range(3):
        assert not save(training, 0.3)
    assert not training.active.service.state()["blobs"]["ok"]


@pytest.mark.parametrize("text", ["", "{", '{"type": "authorized_user"}', None])
def test_a_token_file_that_is_half_written_or_gone_leaves_the_old_sign_in_as_it_is(
    text, token_file, drive_settings, emulator, open_drive
):
    store = open_drive(replace(drive_settings, drive_token=str(token_file)))
    store.put("a.json", b"x")
    token_file.unlink() if text is None else token_file.write_text(text)
    emulator.control("expire_tokens")
    assert store.get("a.json") == b"x"


def test_a_refused_token_is_refreshed_once_for_each_call(drive_settings, emulator, open_drive):
    """No storm on Google's sign-in: one question, one clear answer."""
    store = open_drive()
    store.put("a.json", b"x")
    emulator.control("revoke", refresh_token=refresh_token_of(drive_settings.drive_token))
    for call in (lambda: store.get("a.json"), lambda: store.stat("a.json"), lambda: store.put("a.json", b"y")):
        emulator.control("reset_log")
        with pytest.raises(SignInError, match="expired or was revoked"):
            call()
        assert emulator.log()["by_op"].get("token", 0) == 1


def test_another_accounts_token_in_the_file_puts_nothing_onto_that_account(training, emulator, token_file):
    """The running session knows its folders by id: the wrong person's Drive stays empty, and the right token heals it."""
    right = token_file.read_text()
    assert save(training, 20)
    token_file.write_text(emulator.token("stranger@example.org"))
    emulator.control("expire_tokens")
    assert not save(training, 0.5)
    assert "another account" in training.active.service.state()["blobs"]["hint"]
    assert [f["title"] for f in emulator.files() if f["owner"] == "stranger@example.org"] == []
    token_file.write_text(right)
    emulator.control("expire_tokens")
    for _ in range(10):
        if save(training, 5):
            break
    assert training.active.service.state()["blobs"]["ok"]


def test_another_account_at_the_start_sees_no_run_and_doctor_names_the_account(emulator, drive, drive_settings):
    """A run's id does not lead anybody to a stranger's empty Drive."""
    drive.put("batonpass.json", b"{}")
    stranger = replace(drive_settings, drive_token=emulator.token("stranger@example.org"))
    assert "stranger" in check(stranger, "owner").detail
    assert "nothing of Batonpass yet" in check(stranger, "root").detail


# (c) Colab's own sign-in


@pytest.fixture
def colab(emulator, account, tmp_path, monkeypatch):
    """A notebook after `auth.authenticate_user()`."""
    (tmp_path / "adc.json").write_text(emulator.token(account, scopes=(FULL,)))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{emulator.url}token")
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    return Settings(home=tmp_path / "home", drive_endpoint=emulator.url)


def test_colabs_quick_start_carries_a_run_and_doctor_says_aloud_how_far_it_reaches(colab, emulator, open_drive):
    with leg(open_drive(colab), colab.home) as one:
        one.train(5)
        one.save()
    assert "reaches every file of that Drive" in check(colab, "scope").detail
    assert find_credential(colab).kind == "colab"


def test_colabs_sign_in_that_has_ended_is_told_as_such(colab, emulator, open_drive):
    store = open_drive(colab)
    store.put("a.json", b"x")
    emulator.control("revoke", refresh_token=refresh_token_of(Path(colab.home.parent / "adc.json").read_text()))
    emulator.control("expire_tokens")
    with pytest.raises(SignInError) as caught:
        store.get("a.json")
    assert caught.value.hint


# (d) a service account


@pytest.fixture
def robot(emulator, account, tmp_path):
    """A service account: no space of its own."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    email = account.replace("ann-", "robot-")
    emulator.control("grant", account=email, client_id=email, scopes=[FULL])
    emulator.control("account", email=email, quota_bytes=0)
    token = {"type": "service_account", "client_email": email, "client_id": "1234", "private_key": key.decode()}
    token["token_uri"] = f"{emulator.url}token"
    return email, Settings(home=tmp_path / "home", drive_token=json.dumps(token), drive_endpoint=emulator.url)


def test_a_service_account_carries_a_run_on_a_shared_drive_which_pays(robot, emulator, open_drive, tmp_path):
    """A manager there writes, reads, and deletes for good; the bytes are the drive's."""
    email, settings = robot
    drive_id = emulator.control("shared_drive", members={email: "organizer"})
    url = f"gdrive://id:{drive_id}"
    with leg(open_drive(settings, url), settings.home) as one:
        one.train(5)
        one.save(bytes(5 << 20))
    store = open_drive(settings, url)
    run = read_run(store, find_run_folder(store, "cats"))
    (listing,) = run.sessions[0].session.checkpoints
    assert listing.proven
    assert listing.owner == "the shared drive"
    store.delete(listing.key, store_id=listing.id)
    assert "shared with this service account" in check(settings, "scope", url).detail


def test_on_a_shared_drive_a_swap_that_came_too_late_is_undone_without_conditions_too(robot, emulator, open_drive):
    """Where If-Match is not honoured, the revisions tell who was first and hold what is put back: there as on a My Drive."""
    email, settings = robot
    url = f"gdrive://id:{emulator.control('shared_drive', members={email: 'organizer'})}"
    emulator.control("temper", name="kind", media_if_match=False)
    one, two = open_drive(settings, url), open_drive(settings, url)
    version = one.put("head.json", b"0").version
    two.stat("head.json")
    with ThreadPoolExecutor(2) as pool:
        for i in range(6):
            bodies = (b"%d by one" % i, b"%d by two" % i)
            answers = list(pool.map(swapped, (one, two), bodies, (version, version)))
            (winner,) = [body for body, answer in zip(bodies, answers, strict=True) if answer is not None]
            assert one.get("head.json") == two.get("head.json") == open_drive(settings, url).get("head.json") == winner
            version = open_drive(settings, url).stat("head.json").version


def test_revisions_that_are_not_told_are_no_proof_that_the_file_is_gone(robot, emulator, open_drive):
    """404 for what was written a moment ago: the swap may be tried again, and then finds its own bytes."""
    email, settings = robot
    emulator.control("temper", name="kind", media_if_match=False)
    store = open_drive(settings, f"gdrive://id:{emulator.control('shared_drive', members={email: 'organizer'})}")
    version = store.put("head.json", b"0").version
    emulator.fault("answer", op="revisions.list", status=404, reason="notFound", times=1)
    with pytest.raises(StoreUnreachableError):
        store.put("head.json", b"1", expect=version)
    assert store.put("head.json", b"1", expect=version)
    assert store.get("head.json") == b"1"


def test_a_content_manager_may_write_but_not_delete(robot, emulator, open_drive):
    """The refusal says whose right it is."""
    email, settings = robot
    drive_id = emulator.control("shared_drive", members={email: "fileOrganizer"})
    store = open_drive(settings, f"gdrive://id:{drive_id}")
    info = store.put("a.json", b"x")
    with pytest.raises(StoreError) as caught:
        store.delete("a.json", store_id=info.id)
    assert caught.value.hint


def test_a_service_account_on_my_drive_is_told_that_it_owns_no_space(robot, open_drive):
    """Not "make room": there never was any."""
    _, settings = robot
    with pytest.raises(StoreFullError) as caught:
        open_drive(settings).put("a.json", b"x")
    assert "owns no space" in caught.value.hint
    assert not check(settings, "space").ok


def test_a_shared_drive_hides_from_a_client_that_does_not_ask_for_it(robot, emulator):
    """The control: the emulator is as strict as Drive, so the tests above prove that we ask."""
    import requests

    email, settings = robot
    drive_id = emulator.control("shared_drive", members={email: "organizer"})
    credential = find_credential(settings)
    credential.ensure_fresh()
    headers = {"Authorization": f"Bearer {credential.google.token}"}
    plain = requests.get(f"{emulator.url}drive/v2/files/{drive_id}", headers=headers, timeout=10)
    asked = requests.get(f"{plain.url}?supportsAllDrives=true", headers=headers, timeout=10)
    assert (plain.status_code, asked.status_code) == (404, 200)


def test_the_file_that_holds_the_credential_is_known_and_text_in_its_place_is_no_file(tmp_path):
    settings = Settings(home=tmp_path)
    assert credential_file(settings) is None
    (tmp_path / TOKEN_FILE).write_text("{}")
    assert credential_file(settings) == tmp_path / TOKEN_FILE
    assert credential_file(Settings(home=tmp_path, drive_token="/keys/mine.json")) == Path("/keys/mine.json")
    assert credential_file(Settings(home=tmp_path, drive_token='{"refresh_token": "secret"}')) is None
