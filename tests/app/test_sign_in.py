"""The walk through a real sign-in: the app as it is hosted, an OpenID provider of our own, a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from batonpass.streamlit_app.access import NO_DOWNLOADS, READ_ONLY
from batonpass.streamlit_app.sample import write_sample

from .conftest import write_files
from .live_app import PAGES, in_browser, serve, settle
from .openid_provider import CHEATS, CLIENT_ID, CLIENT_SECRET, Provider, openid_provider

pytestmark = in_browser
ADA, BOB, EVE, MALLORY, TUVA = "ADA@Example.org", "bob@example.org", "eve@example.org", "mallory@example.org", "t@x.org"
PEOPLE = {ADA: True, BOB: True, EVE: True, MALLORY: False, TUVA: None}
LISTED = ("ada@example.org", "Bob@example.org", MALLORY, TUVA)
TRACES = (b"cats", b"digits", b"speech", b"1a5e0000", b"school")
"""What the sample's runs are known by; none of it may reach a visitor who is not let in."""
SECRETS = """
[auth]
redirect_uri = "http://localhost:{{port}}/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef0123456789"
client_id = "{client_id}"
client_secret = "{client_secret}"
server_metadata_url = "{provider}/.well-known/openid-configuration"

[batonpass]
allowed_emails = [{emails}]
"""


@dataclass
class Hosted:
    """A running app with a sign-in in front."""

    address: str
    home: Path
    store: Path
    provider: Provider

    @property
    def has_opened_its_store(self) -> bool:
        return (self.home / "app-cache").exists()


@dataclass
class Visitor:
    """A browser profile of its own, and everything that the app has sent to it."""

    page: Any
    host: Hosted
    received: list[bytes] = field(default_factory=list)

    def sent_of(self, *traces: bytes) -> list[bytes]:
        everything = b"\n".join(self.received)
        return [trace for trace in traces if trace in everything]

    def come(self, page: str = "") -> None:
        self.page.goto(f"{self.host.address}/{page}")
        settle(self.page)

    def sign_in(self, email: str, decision: str = "Allow") -> None:
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.host.provider.address}/authorize**")
        self.page.get_by_label("Address").select_option(email)
        self.page.get_by_role("button", name=decision).click()
        self.page.wait_for_url(f"{self.host.address}/**")
        settle(self.page)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def text(self) -> str:
        """What stands on the page, without the joiners that keep a name from being read as an address."""
        return str(self.page.get_by_test_id("stMain").inner_text()).replace("\u2060", "")


@contextmanager
def hosted(folder: Path, provider: Provider, secrets: str | None = None, **extra: str) -> Iterator[Hosted]:
    """The app on the sample's files as a store, with `secrets`, or with a sign-in at `provider` and a list."""
    files: dict[str, tuple[bytes, datetime]] = {}
    write_sample(lambda key, body, at: files.__setitem__(key, (body, at)), now=datetime.now(UTC))
    store, home = write_files(folder / "store", files), folder / "home"
    (home / ".streamlit").mkdir(parents=True)
    emails = ", ".join(f'"{email}"' for email in LISTED)
    whole = SECRETS.format(provider=provider.address, emails=emails, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    (home / ".streamlit" / "secrets.toml").write_text(whole if secrets is None else secrets)
    with serve(home, store=str(store), extra=extra) as address:
        yield Hosted(address, home, store, provider)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with openid_provider(PEOPLE) as found:
        yield found


@pytest.fixture(scope="module")
def host(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosted(tmp_path_factory.mktemp("host"), provider) as found:
        yield found


@pytest.fixture(scope="module")
def looking(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A host that only looks, and gives no checkpoint away."""
    with hosted(tmp_path_factory.mktemp("looking"), provider, **{READ_ONLY: "1", NO_DOWNLOADS: "1"}) as found:
        yield found


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[[Hosted], Visitor]]:
    contexts = []

    def make(host: Hosted) -> Visitor:
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 900}))
        visitor = Visitor(contexts[-1].new_page(), host)

        def listen(socket: Any) -> None:
            socket.on(
                "framereceived",
                lambda data: visitor.received.append(data if isinstance(data, bytes) else data.encode()),
            )

        visitor.page.on("websocket", listen)
        return visitor

    yield make
    for context in contexts:
        context.close()


def test_who_is_not_signed_in_is_sent_nothing_of_the_runs_by_any_page_and_opens_no_store(
    provider: Provider, tmp_path: Path, visit: Callable[[Hosted], Visitor]
) -> None:
    with hosted(tmp_path, provider) as fresh:
        visitor = visit(fresh)
        for page in (*PAGES, "run?run=1a5e0000", "?look=sample"):
            visitor.come(page)
            assert visitor.button("Sign in").is_visible()
        assert visitor.received, "the app has spoken"
        assert not visitor.sent_of(*TRACES)
        assert not fresh.has_opened_its_store
        visitor.come()
        visitor.sign_in(ADA)
        visitor.page.get_by_text("cats-v2").first.wait_for()
        assert visitor.sent_of(*TRACES) == list(TRACES), "the check can fail"
        assert fresh.has_opened_its_store, "the check can fail"


@pytest.mark.parametrize("email", [ADA, BOB, TUVA])
def test_a_listed_address_comes_in_whatever_its_case_and_is_out_again_after_signing_out(
    host: Hosted, visit: Callable[[Hosted], Visitor], email: str
) -> None:
    visitor = visit(host)
    visitor.come()
    visitor.sign_in(email)
    visitor.page.get_by_text("cats-v2").first.wait_for()
    assert f"Signed in as {email}" in visitor.text()
    visitor.come("machines")
    assert "Machines" in visitor.text(), "it holds on every page, also after loading it anew"
    visitor.button("Sign out").click()
    visitor.button("Sign in").wait_for()
    visitor.come("run?run=1a5e0000")
    assert visitor.button("Sign in").is_visible()
    assert "cats" not in visitor.text()
    assert "/end" in host.provider.seen, "the provider was told too"


def test_a_consent_that_was_denied_leaves_one_at_the_door(host: Hosted, visit: Callable[[Hosted], Visitor]) -> None:
    visitor = visit(host)
    visitor.come()
    visitor.sign_in(BOB, "Deny")
    assert visitor.button("Sign in").is_visible()
    assert not visitor.sent_of(*TRACES)
    visitor.sign_in(BOB)
    assert "Signed in as" in visitor.text(), "and one may think again"


@pytest.mark.parametrize("email", [EVE, MALLORY])
def test_an_address_that_is_not_listed_or_not_verified_stays_out_and_may_sign_out(
    host: Hosted, visit: Callable[[Hosted], Visitor], email: str
) -> None:
    visitor = visit(host)
    visitor.come()
    visitor.sign_in(email)
    for page in PAGES:
        visitor.come(page)
        assert f"You are signed in as {email}, and this address is not on the list" in visitor.text()
    assert not visitor.sent_of(*TRACES)
    visitor.button("Sign out").click()
    visitor.button("Sign in").wait_for()


@pytest.mark.parametrize("cheat", CHEATS)
def test_an_answer_that_the_provider_never_gave_to_this_visitor_signs_nobody_in(
    host: Hosted, visit: Callable[[Hosted], Visitor], monkeypatch: pytest.MonkeyPatch, cheat: str
) -> None:
    visitor = visit(host)
    visitor.come()
    monkeypatch.setattr(host.provider, "cheat", cheat)
    visitor.sign_in(BOB)
    assert visitor.button("Sign in").is_visible()
    assert not visitor.sent_of(*TRACES)


def test_a_cookie_that_the_app_did_not_sign_is_nobody(host: Hosted, visit: Callable[[Hosted], Visitor]) -> None:
    visitor = visit(host)
    visitor.come()
    visitor.sign_in(BOB)
    context = visitor.page.context
    (cookie,) = [c for c in context.cookies() if c["name"] == "_streamlit_user"]
    assert cookie["httpOnly"]
    context.add_cookies([cookie | {"value": cookie["value"][:-4] + "AAAA"}])
    visitor.come()
    assert visitor.button("Sign in").is_visible()


WRITING = ("Keep", "Keep this note", "Check", "Check every byte", "Prove arrival", "Forget this run", "Use this store")


def test_a_host_that_only_looks_offers_no_control_that_writes_and_no_file(
    looking: Hosted, visit: Callable[[Hosted], Visitor]
) -> None:
    visitor = visit(looking)
    before = _tree(looking.store)
    visitor.come()
    visitor.sign_in(ADA)
    for page in (*PAGES[:1], *(f"{p}?run=1a5e0000" for p in PAGES[1:])):
        visitor.come(page)
        assert "This app only looks" in visitor.text()
        for tab in visitor.page.get_by_role("tab").all():
            tab.click()
            settle(visitor.page)
        for name in WRITING:
            assert not any(b.is_enabled() for b in visitor.button(name).all()), f"{name} on {page}"
    visitor.come("resume?run=1a5e0000")
    visitor.page.get_by_text("The files of step").click()
    visitor.page.get_by_text("Taking checkpoints home is switched off here").wait_for()
    visitor.page.get_by_text("sha256").first.wait_for()
    files = visitor.page.get_by_role("button", name="safetensors")
    files.first.wait_for()
    assert not any(b.is_enabled() for b in files.all())
    assert _tree(looking.store) == before
    assert not (looking.home / "app.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0123456789abcdef0123456789abcdef0123456789", "a long random text", "cookie_secret is shorter than 32"),
        ("[auth]", "[oauth]", "the section [auth] is missing"),
        ("[auth]", "[auth", "The secrets file cannot be read"),
    ],
)
def test_a_secrets_file_that_lacks_a_part_closes_the_app_and_says_which(
    provider: Provider, tmp_path: Path, visit: Callable[[Hosted], Visitor], old: str, new: str, said: str
) -> None:
    emails = '"ada@example.org"'
    whole = SECRETS.format(provider=provider.address, emails=emails, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    assert old in whole
    with hosted(tmp_path, provider, secrets=whole.replace(old, new)) as closed:
        visitor = visit(closed)
        visitor.come()
        assert "This app is closed" in visitor.text()
        assert said in visitor.text()
        assert visitor.page.get_by_test_id("stMain").get_by_role("button").count() == 0
        assert not visitor.sent_of(*TRACES, CLIENT_SECRET.encode())
        assert not closed.has_opened_its_store


def _tree(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
