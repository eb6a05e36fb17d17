"""Every state that a sign-in for Google Drive can be in, walked in a real browser as its user: what the pages say, what to do next, and that
the app goes on by itself once it was done. Against the Drive of our own.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from drive_emulator.fixtures import emulator, emulator_process
from drive_emulator.person import write_client
from drive_emulator.process import Emulator

from batonpass.core import naming
from batonpass.core.settings import Settings
from batonpass.streamlit_app.sample import write_sample
from batonpass.sync.stores.gdrive import open_gdrive

from .live_app import in_browser, serve, settle

__all__ = ["emulator", "emulator_process"]
pytestmark = in_browser
STORE, CLIENT = "gdrive://batonpass", "own.apps.example.org"
MENDED_MS = 90_000
"""The app asks again every 15 s, and the page looks at it as often."""
SHOTS = os.environ.get("BATONPASS_SHOTS")
"""A folder: pictures of each state are left there."""


@pytest.fixture(scope="module", autouse=True)
def _on_drive(emulator_process: Emulator, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One run of the sample on ann's Drive, written by the client that signs in below."""
    files: dict[str, bytes] = {}
    write_sample(lambda key, body, _: files.__setitem__(key, body), now=datetime.now(UTC))
    token = emulator_process.token(client_id=CLIENT)
    store = open_gdrive(STORE, Settings(tmp_path_factory.mktemp("w"), None, None, token, emulator_process.url))
    for key, body in files.items():
        if key == naming.ROOT_FILE or "digits" in key:
            store.put(key, body)
    store.close()


@pytest.fixture
def walk(emulator: Emulator, open_tab: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Walk]]:
    """Starts the app, with this credential in its file or in no file at all, and opens its first page."""
    opened: list[tuple[Any, Walk]] = []

    def start(token: str | None = None) -> Walk:
        file = tmp_path / "token.json"
        variables = {"BATONPASS_DRIVE_ENDPOINT": emulator.url}
        if token is not None:
            file.write_text(token)
            variables["BATONPASS_DRIVE_TOKEN"] = str(file)
        served = serve(tmp_path, store=STORE, extra=variables)
        walk = Walk(served.__enter__(), open_tab(), file, emulator, tmp_path)
        opened.append((served, walk))
        walk.go("")
        return walk

    yield start
    for served, walk in opened:
        served.__exit__(None, None, None)
        log = (tmp_path / "server.log").read_text()
        assert "Traceback" not in log, log[-3000:]
        leaked = [s for s in emulator.control("secrets") if s in log or s in walk.seen]
        assert not leaked


class Walk:
    """A person in front of the app."""

    def __init__(self, address: str, page: Any, token: Path, emulator: Emulator, home: Path) -> None:
        self.address, self.page, self.token, self.emulator, self.home = address, page, token, emulator, home
        self.seen = ""
        """All that any page has held so far."""

    def go(self, name: str) -> None:
        self.page.goto(f"{self.address}/{name}")
        settle(self.page)

    def says(self, text: str) -> None:
        """Waits until the page says so."""
        self.page.locator('[data-testid="stMain"]').get_by_text(text).first.wait_for(timeout=MENDED_MS)

    def look(self, shot: str) -> str:
        """What the page says now; no traceback is among it."""
        settle(self.page)
        assert self.page.locator('[data-testid="stException"]').count() == 0
        self.seen += self.page.content()
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{SHOTS}/{shot}.png", full_page=True)
        return str(self.page.locator('[data-testid="stMain"]').inner_text())

    def command(self) -> str:
        """What is offered to be copied, as the clipboard has it then."""
        block = self.page.locator('[data-testid="stCode"]:has-text("batonpass login")').first
        block.hover()
        block.locator("button").evaluate(
            "button => button.click()"
        )  # shown by hovering, and gone when the page is drawn again
        self.page.wait_for_function("() => navigator.clipboard.readText().then(text => text.includes('batonpass'))")
        return str(self.page.evaluate("() => navigator.clipboard.readText()"))

    def mend(self, *, scopes: tuple[str, ...] | None = None) -> None:
        """Somebody signs in again: a new token stands in the file."""
        more = {} if scopes is None else {"scopes": scopes}
        self.token.write_text(self.emulator.token(client_id=CLIENT, **more))

    def kill_sign_in(self) -> None:
        """Access is removed, the password changed, or seven days in status Testing are over."""
        self.emulator.control("revoke", refresh_token=json.loads(self.token.read_text())["refresh_token"])
        self.emulator.control("expire_tokens")

    def read_again(self) -> None:
        self.page.get_by_role("button", name="Read again").click()

    def log_in(self, command: str, does: str, *, tick: bool = True) -> subprocess.CompletedProcess[str]:
        """Types the command, with a client's real file, and answers the page that opens."""
        client = write_client(self.home / "client_secret.json", self.emulator.url)
        words = [str(client) if w == "client_secret.json" else w for w in shlex.split(command)]
        variables = {"BATONPASS_HOME": str(self.home), "OAUTHLIB_INSECURE_TRANSPORT": "1", "BROWSER": "/bin/true"}
        program = subprocess.Popen(
            [sys.executable, "-u", "-m", "batonpass", *words[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        assert program.stdout is not None
        link = next(found for line in program.stdout if (found := re.search(r"http\S+/auth\?\S+", line)))
        page = self.page.context.new_page()
        page.goto(link[0])
        if not tick:
            page.get_by_role("checkbox").uncheck()
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/consent-{does}.png")
        page.get_by_role("button", name=does).click()
        page.get_by_text("What came of it stands in the terminal").wait_for()
        page.close()
        out, err = program.communicate(timeout=60)
        return subprocess.CompletedProcess(words, program.returncode, out, err)


def test_without_any_credential_the_command_leads_to_one_and_the_app_goes_on_by_itself(
    walk: Callable[..., Walk], emulator: Emulator
) -> None:
    """From the first page to the first run: denied, then the box unticked, then right; nothing is started again."""
    emulator.control("consent", answer="ask")
    user = walk()
    user.says("not signed in to Google Drive")  # before that the store may still be read for the first time
    said = user.look("none-morning")
    assert "leave the box for Google Drive ticked" in said
    user.go("settings")
    assert "No Drive credential on this computer" in user.look("none-settings")
    command = user.command()
    denied = user.log_in(command, "Cancel")
    assert denied.returncode != 0
    assert "somebody said no in the browser" in denied.stderr
    narrow = user.log_in(command, "Continue", tick=False)
    assert narrow.returncode != 0
    assert "tick the box" in narrow.stderr
    user.go("")
    assert "not signed in to Google Drive" in user.look("none-still")
    good = user.log_in(command, "Continue")
    assert good.returncode == 0, good.stderr
    assert "found there by itself" in good.stdout
    user.says("digits-baseline")
    assert "not signed in" not in user.look("none-mended")


def test_a_good_credential_shows_the_runs_and_settings_say_that_it_works(
    walk: Callable[..., Walk], emulator: Emulator
) -> None:
    user = walk(emulator.token(client_id=CLIENT))
    user.says("digits-baseline")
    user.look("good-morning")
    user.go("settings")
    user.says("Google Drive accepts it")
    user.look("good-settings")


def test_a_revoked_sign_in_is_named_with_its_causes_and_a_new_token_in_the_file_mends_it(
    walk: Callable[..., Walk], emulator: Emulator
) -> None:
    token = emulator.token(client_id=CLIENT)
    emulator.control("revoke", refresh_token=json.loads(token)["refresh_token"])
    user = walk(token)
    user.says("expired or was revoked")
    said = user.look("revoked-morning")
    assert "7 days" in said
    assert user.command().endswith(f"--to {user.token}")
    user.go("settings")
    assert "it does not work" in user.look("revoked-settings")
    user.mend()
    user.go("")
    user.says("digits-baseline")


def test_an_access_token_that_is_over_is_renewed_without_a_word(walk: Callable[..., Walk], emulator: Emulator) -> None:
    user = walk(emulator.token(client_id=CLIENT))
    user.says("digits-baseline")
    emulator.control("expire_tokens")
    emulator.control("reset_log")
    user.read_again()
    user.page.wait_for_function("() => !!document.querySelector('[data-testid=\"stMain\"]')")
    _until(lambda: emulator.log()["by_op"].get("files.list", 0) > 2, user.page)
    assert emulator.log()["by_op"]["token"] >= 1
    assert "not signed in" not in user.look("renewed")


def test_a_sign_in_that_dies_while_one_looks_leaves_the_story_with_its_age_on_every_page(
    walk: Callable[..., Walk], emulator: Emulator
) -> None:
    """Expired and not to be renewed: what was read stays, and what to do stands above it."""
    user = walk(emulator.token(client_id=CLIENT))
    user.says("digits-baseline")
    user.kill_sign_in()
    user.read_again()
    user.says("not signed in to Google Drive")
    said = user.look("expired-morning")
    assert "this is the story as of" in said
    assert "says nothing about your sessions" in said
    assert "digits-baseline" in said
    for name in ("run", "resume", "machines", "accounts", "settings"):
        user.go(name)
        assert "not signed in to Google Drive" in user.look(f"expired-{name}")
    user.mend()
    user.go("")
    user.page.wait_for_function(
        "() => !document.querySelector('[data-testid=\"stMain\"]').innerText.includes('not signed in')",
        timeout=MENDED_MS,
    )
    assert "digits-baseline" in user.look("expired-mended")


def test_a_token_without_drive_says_which_box_to_tick(walk: Callable[..., Walk], emulator: Emulator) -> None:
    user = walk(emulator.token(client_id=CLIENT, scopes=("openid",)))
    user.says("does not allow writing to Google Drive")
    assert "leave the box for Google Drive ticked" in user.look("scope-morning")
    user.go("settings")
    user.look("scope-settings")
    user.mend()
    user.says("Google Drive accepts it")


def test_a_drive_that_finds_the_scope_too_narrow_is_a_matter_of_signing_in_again(
    walk: Callable[..., Walk], emulator: Emulator
) -> None:
    emulator.fault("answer", op="files.*", status=403, reason="insufficientPermissions", times=0)
    user = walk(emulator.token(client_id=CLIENT))
    user.says("does not allow this on Google Drive")
    assert "batonpass login" in user.look("forbidden-morning")
    emulator.control("clear_faults")
    user.mend()
    user.says("digits-baseline")


def test_a_full_drive_still_shows_the_runs_and_a_note_that_does_not_fit_is_not_lost_silently(
    walk: Callable[..., Walk], emulator: Emulator
) -> None:
    emulator.control("account", email="ann@example.org", quota_bytes=1000)
    try:
        user = walk(emulator.token(client_id=CLIENT))
        user.says("digits-baseline")
        user.look("full-morning")
        user.go("settings")
        user.look("full-settings")
        user.go("run")
        user.page.get_by_role("tab", name="Notes").click()
        user.page.locator("textarea").first.fill("a thought")
        user.page.get_by_role("button", name="Keep this note").click()
        user.says("Not kept")
        assert user.page.locator("textarea").first.input_value() == "a thought"
        user.look("full-note")
    finally:
        emulator.control("account", email="ann@example.org", quota_bytes=15 << 30)


def test_a_drive_that_is_down_leaves_the_story_and_its_age_and_asks_nothing_of_anybody(
    walk: Callable[..., Walk], emulator: Emulator
) -> None:
    user = walk(emulator.token(client_id=CLIENT))
    user.says("digits-baseline")
    emulator.fault("answer", status=503, times=0)
    user.read_again()
    user.says("The store does not answer right now")
    said = user.look("down-morning")
    assert "this is the story as of" in said
    assert "digits-baseline" in said
    assert "batonpass login" not in said, "signing in again would not help"
    user.go("settings")
    assert "The store does not answer right now" in user.look("down-settings")
    emulator.control("clear_faults")
    user.go("")
    user.page.wait_for_function(
        "() => !document.querySelector('[data-testid=\"stMain\"]').innerText.includes('does not answer')",
        timeout=MENDED_MS,
    )


def _until(condition: Callable[[], bool], page: Any) -> None:
    """Looks twice a second, for as long as a mended app may take."""
    for _ in range(MENDED_MS // 500):
        if condition():
            return
        page.wait_for_timeout(500)
    raise AssertionError("it did not come to that")
