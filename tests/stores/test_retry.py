"""Trying again: what is repeated, what never is, and for how long."""

from __future__ import annotations

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores.faults import Fault, FaultyStore
from stores.suite import KEY, random_bytes

from batonpass.core.errors import (
    ConflictError,
    NotFoundError,
    SignInError,
    StoppedError,
    StoreError,
    StoreFullError,
    StoreUnreachableError,
)
from batonpass.core.files import CHUNK_BYTES
from batonpass.core.storage import ABSENT, Transfer
from batonpass.sync.stores.backoff import Backoff
from batonpass.sync.stores.memory import MemoryStore
from batonpass.sync.stores.retry import RetryStore


class Clock:
    """A clock that only waiting moves."""

    def __init__(self):
        self.now_s = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faulty(request) -> FaultyStore:
    return FaultyStore(MemoryStore(request.node.name))


@pytest.fixture
def store(faulty, clock) -> RetryStore:
    return RetryStore(faulty, clock=lambda: clock.now_s, wait=clock.wait, draw=lambda: 1.0)


def test_an_unreachable_store_is_asked_again_with_growing_waits(store, faulty, clock):
    """Three lost calls cost waits of 1, 2 and 4 s, then the answer comes."""
    faulty.inner.put(KEY, b"x")
    faulty.script = [Fault("get")] * 3
    assert store.get(KEY) == b"x"
    assert clock.waits == [1, 2, 4]


@pytest.mark.parametrize("kind", [NotFoundError, ConflictError, StoreFullError, SignInError, StoreError])
def test_permanent_errors_come_back_at_once(store, faulty, clock, kind):
    """What waiting cannot mend is not waited for."""
    faulty.script = [Fault("stat", make=lambda op: kind("no", op=op))]
    with pytest.raises(kind):
        store.stat(KEY)
    assert (faulty.calls, clock.waits) == (["stat"], [])


def test_it_gives_up_in_bounded_time(store, faulty, clock):
    """A store that stays dead raises its own last error before the limit."""
    faulty.script = [Fault("get")] * 100
    with pytest.raises(StoreUnreachableError):
        store.get(KEY)
    assert 60 < sum(clock.waits) <= Backoff().limit_s
    assert max(clock.waits) <= Backoff().cap_s


def test_it_waits_as_long_as_the_store_asks(store, faulty, clock):
    """Retry-After is honoured above the cap; one beyond the limit ends the tries instead of sitting through it."""
    faulty.inner.put(KEY, b"x")
    faulty.script = [Fault("get", make=lambda op: StoreUnreachableError("later", op=op, retry_after_s=50))]
    assert store.get(KEY) == b"x"
    assert clock.waits == [50]
    faulty.script = [Fault("get", make=lambda op: StoreUnreachableError("later", op=op, retry_after_s=5000))]
    with pytest.raises(StoreUnreachableError):
        store.get(KEY)
    assert clock.waits == [50]


def test_a_wait_can_be_interrupted(faulty):
    """Setting the event that is waited on ends the tries with the store's own error."""
    stop = threading.Event()
    stop.set()
    faulty.script = [Fault("get")] * 5
    with pytest.raises(StoreUnreachableError):
        RetryStore(faulty, wait=stop.wait).get(KEY)
    assert faulty.calls == ["get"]


def test_a_stopped_transfer_is_not_tried_again(store, faulty):
    """`should_stop` ends the tries as well."""
    faulty.script = [Fault("put")] * 5
    with pytest.raises(StoppedError):
        store.put(KEY, b"x", transfer=Transfer(should_stop=lambda: True))
    assert faulty.calls == ["put"]


def test_each_failure_is_told(faulty, clock):
    """`on_failure` hears each error that is tried again, with the wait."""
    told: list[tuple[str, float]] = []
    faulty.script = [Fault("list_objects"), Fault("list_objects")]
    store = RetryStore(
        faulty,
        clock=lambda: clock.now_s,
        wait=clock.wait,
        draw=lambda: 0.0,
        on_failure=lambda error, delay_s: told.append((error.op, delay_s)),
    )
    assert store.list_objects("") == []
    assert told == [("list_objects", 0.5), ("list_objects", 1.0)]


@pytest.mark.parametrize("creating", [True, False])
def test_a_lost_answer_to_a_conditional_put_is_recognised(store, faulty, creating):
    """The write arrived, its answer did not: the store is asked again and says "another version"; our content is there, so it is ours."""
    expect = ABSENT if creating else faulty.inner.put(KEY, b"before").version
    faulty.script = [Fault("put", after=True)]
    info = store.put(KEY, b"ours", expect=expect)
    assert info.version == faulty.inner.stat(KEY).version
    assert faulty.calls == ["put", "put", "checksum"]


def test_sending_a_conditional_put_blindly_again_would_fail(faulty):
    """The negative control: without looking, the repeated write meets its own first copy as a conflict."""
    faulty.script = [Fault("put", after=True)]
    with pytest.raises(StoreUnreachableError):
        faulty.put(KEY, b"ours", expect=ABSENT)
    with pytest.raises(ConflictError):
        faulty.put(KEY, b"ours", expect=ABSENT)


def test_a_conditional_put_that_did_not_arrive_is_sent_again(store, faulty):
    """The store still holds the expected version: the second try writes it."""
    version = faulty.inner.put(KEY, b"before").version
    faulty.script = [Fault("put"), Fault("checksum")]
    store.put(KEY, b"ours", expect=version)
    assert faulty.inner.get(KEY) == b"ours"


def test_a_conditional_put_overtaken_by_another_conflicts(store, faulty):
    """While we waited somebody else wrote: ConflictError, and their content stays."""
    version = faulty.inner.put(KEY, b"before").version
    faulty.script = [Fault("put", before_raise=lambda: faulty.inner.put(KEY, b"theirs"))]
    with pytest.raises(ConflictError):
        store.put(KEY, b"ours", expect=version)
    assert faulty.inner.get(KEY) == b"theirs"


def test_a_write_that_arrives_late_is_recognised(store, faulty):
    """The first try commits between our look and our second try: the conflict is our own write."""
    version = faulty.inner.put(KEY, b"before").version
    faulty.script = [
        Fault("put"),
        Fault("put", make=lambda op: ConflictError("412", op=op), before_raise=lambda: faulty.inner.put(KEY, b"ours")),
    ]
    assert store.put(KEY, b"ours", expect=version).size_bytes == 4


def test_a_first_conflict_is_never_taken_for_ones_own_write(store, faulty):
    """Equal content by somebody else is still a conflict when no answer of ours was lost."""
    faulty.inner.put(KEY, b"same")
    with pytest.raises(ConflictError):
        store.put(KEY, b"same", expect=ABSENT)


def test_an_interrupted_fetch_goes_on_where_it_stopped(store, faulty):
    """The second try asks for the rest only, and the file is whole."""
    body = random_bytes(3 * CHUNK_BYTES)
    faulty.inner.put(KEY, body)
    to = CutOnce()
    assert store.fetch(KEY, to) == len(body)
    assert to.getvalue() == body


def test_a_fetch_never_mixes_two_versions(store, faulty):
    """The object is replaced between two tries: ConflictError instead of a file made of both."""
    faulty.inner.put(KEY, random_bytes(3 * CHUNK_BYTES))
    to = CutOnce(then=lambda: faulty.inner.put(KEY, random_bytes(3 * CHUNK_BYTES, seed=1)))
    with pytest.raises(ConflictError):
        store.fetch(KEY, to)


class CutOnce(io.BytesIO):
    """The connection breaks at the second chunk, once."""

    def __init__(self, then=lambda: None):
        super().__init__()
        self.chunks = 0
        self.then = then

    def write(self, data):
        self.chunks += 1
        if self.chunks == 2:
            self.then()
            raise StoreUnreachableError("reset by peer", op="fetch")
        return super().write(data)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e6))
def test_every_wait_is_bounded_and_honours_the_store(attempt, draw, asked_s):
    """Between half the first wait and the cap, unless the store asks for more."""
    delay_s = Backoff().delay_s(attempt, draw=draw, retry_after_s=asked_s)
    assert 0.5 <= delay_s <= max(32.0, asked_s or 0.0)
    assert delay_s >= (asked_s or 0.0)
