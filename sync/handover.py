"""Who may continue a run: claims, keeps and releases `head.json`. Decisions are pure functions; `claim` is the only one that waits."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from batonpass.core import naming
from batonpass.core.codec import decode, encode
from batonpass.core.errors import ConflictError, FormatError, HeldElsewhereError, NotFoundError, UsageError
from batonpass.core.model import Head, Host
from batonpass.core.storage import Store
from batonpass.sync.machine import process_lives
from batonpass.sync.reading import SessionFile, read_head, read_session
from batonpass.sync.session import SessionWriter

LEASE_S = 5 * 60.0
"""A holder that the store proves silent for so long is gone (by the store's clock)."""
MOUNT_LEASE_S = 30 * 60.0
"""On a mount, whose view may be old: unchanged for so long by this reader's own monotonic clock."""
LONG_SILENCE_S = 2 * 3600.0
"""On a mount, a file this old by the wall clock needs no waiting: no clock error and no lag we know of is that large."""
_POLL_S = 2.0
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How a claim waits. Clock and sleep are arguments, so that tests need no time."""

    lease_s: float | None = None
    """None = the store's own default."""
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = field(default=print)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look at the holder says. `gone` decides; `why` is one sentence; `local` = it lives on this very machine."""

    gone: bool
    why: str
    local: bool = False


def judge_holder(
    holder: SessionFile | None, me: Host, *, silent_s: float, proves_silence: bool, lease_s: float | None = None
) -> Verdict:
    """Is the holder really gone? Pure but for looking at this machine's processes.

    `silent_s`: age of its file by the store's clock, in seconds; `proves_silence`: the store's view of that age is current (not a mount).
    """
    if holder is None:
        return Verdict(gone=False, why="its session file has not arrived here yet")
    session = holder.session
    if session.end is not None or not session.alive:
        return Verdict(gone=True, why=f"it ended ({session.end.kind if session.end else 'its process was gone'})")
    if session.host.machine == me.machine:
        lives = process_lives(session.host.process)
        return Verdict(
            gone=not lives, why=f"its training process on this machine {'runs' if lives else 'is gone'}", local=lives
        )
    limit = (lease_s or LEASE_S) if proves_silence else max(LONG_SILENCE_S, lease_s or 0.0)
    if silent_s > limit:
        return Verdict(gone=True, why=f"nothing was heard from it for {silent_s / 60:.0f} min")
    return Verdict(gone=False, why=f"it was heard from {max(silent_s, 0):.0f} s ago")


def claim(
    store: Store,
    folder: str,
    session: str,
    me: Host,
    *,
    takeover: bool | str,
    patience: Patience,
    store_id: str | None = None,
) -> Head:
    """Make `session` the holder and return the new head. `takeover`: from whoever holds it, or only from the session of that id.

    HeldElsewhereError when another one lives; UsageError where `takeover` names no session of this run; ConflictError after many tries.
    """
    gone: tuple[str | None, int] | None = None
    for _ in range(_TRIES):
        head, version = read_head(store, folder)
        if isinstance(takeover, str) and takeover not in head.sessions:
            raise UsageError(
                f"takeover={takeover!r} is no session of this run, as far as this machine sees",
                hint="copy the id anew from the app's Resume page; on a mounted Drive wait until it has arrived here",
            )
        taken = takeover in (True, head.holder)
        if head.holder not in (None, session) and not taken and (head.holder, head.term) != gone:
            _wait_until_gone(store, folder, head, me, patience)
            gone = (head.holder, head.term)
            continue  # the head's version may have changed while we waited, and that alone is no reason to wait again
        wanted = replace(
            head,
            term=head.term + 1,
            holder=session,
            nonce=secrets.token_hex(8),
            sessions=_with(head.sessions, session),
            session_ids={**head.session_ids, **({session: store_id} if store_id else {})},
        )
        if _swap(store, folder, wanted, version):
            return wanted
    raise ConflictError("the run's head changed at every try", op="claim", key=folder, hint="start again in a minute")


def release(store: Store, folder: str, session: str) -> None:
    """Let go of the run, if this session still holds it. Anyone may claim it at once."""
    for _ in range(_TRIES):
        head, version = read_head(store, folder)
        if head.holder != session:
            return
        if _swap(store, folder, replace(head, holder=None, nonce=secrets.token_hex(8)), version):
            return


def join_as_branch(store: Store, folder: str, session: str, *, store_id: str | None = None) -> Head:
    """Add a session that does not hold the run to the list of sessions; the holder stays who it is."""
    for _ in range(_TRIES):
        head, version = read_head(store, folder)
        if session in head.sessions and head.holder != session:
            return head
        wanted = replace(
            head,
            holder=None if head.holder == session else head.holder,
            nonce=secrets.token_hex(8),
            sessions=_with(head.sessions, session),
            session_ids={**head.session_ids, **({session: store_id} if store_id else {})},
        )
        if _swap(store, folder, wanted, version):
            return wanted
    raise ConflictError("the run's head changed at every try", op="join", key=folder, hint="start again in a minute")


def be_listed(store: Store, folder: str, head: Head, session: str, store_id: str | None) -> Head:
    """The head that names `session`, as a branch if `head` does not name it yet: two creators of one run may make a head each, and of
    those only the older counts.
    """
    return head if session in head.sessions else join_as_branch(store, folder, session, store_id=store_id)


def give_way(store: Store, folder: str, head: Head, writer: SessionWriter, *, store_id: str | None) -> str:
    """Go on as a branch, because `head` names another holder; returns which, in words. After a StoreError it is to be done again.

    Where `head` does not even list the session, the one that does is a twin which does not count, and neither does the term claimed in
    it: the session is listed as one that came before all others.
    """
    session, by = writer.record.id, head.holder or "nobody (it was released)"
    if session not in head.sessions:
        writer.change(term=0)
        writer.publish()  # before the head names it: of two sessions with one term either may look like the last holder
        be_listed(store, folder, head, session, store_id)
    writer.change(branch=writer.record.branch or f"lost to {by}")
    return by


def empty_head() -> Head:
    """The head of a run that nobody has joined yet."""
    return Head(term=0, holder=None, nonce=secrets.token_hex(8))


def _with(sessions: tuple[str, ...], session: str) -> tuple[str, ...]:
    return sessions if session in sessions else (*sessions, session)


def _swap(store: Store, folder: str, wanted: Head, version: str) -> bool:
    """Write the head if nobody else did meanwhile. A conflict with our own nonce is our own write whose answer was lost."""
    key = naming.head_file(folder)
    try:
        store.put(key, encode(wanted), expect=version)
    except ConflictError:
        return decode(Head, store.get(key), key=key).nonce == wanted.nonce
    return True


def _wait_until_gone(store: Store, folder: str, head: Head, me: Host, patience: Patience) -> None:
    """Return once the holder is gone; HeldElsewhereError as soon as it shows life or after one lease."""
    holder_id = head.holder or ""
    proves = store.properties.proves_arrival
    lease_s = patience.lease_s or (LEASE_S if proves else MOUNT_LEASE_S)
    first = _look(store, folder, head, holder_id)
    verdict = _judge(store, first, me, patience.lease_s)
    if verdict.gone:
        return
    if verdict.local:
        raise _held(holder_id, first, verdict.why)
    started, announced = patience.monotonic(), -1
    while (waited := patience.monotonic() - started) < lease_s:
        left_min = int((lease_s - waited) / 60)
        if left_min != announced:
            announced = left_min
            patience.say(
                f"batonpass: session {holder_id} holds this run ({verdict.why}); waiting up to {left_min + 1} min to see whether "
                f"it lives. If you know that it is gone: interrupt, and start(..., takeover={holder_id!r})"
            )
        patience.sleep(min(_POLL_S, lease_s / 10))
        seen = _look(store, folder, head, holder_id)
        if (
            seen is not None
            and first is not None
            and seen.session.end is None
            and seen.session.beat != first.session.beat
        ):
            raise _held(holder_id, seen, "it has just shown a sign of life")
        verdict = _judge(store, seen, me, patience.lease_s)  # its silence before we came counts too
        if verdict.gone:
            return
        first = first or seen
    if first is None and not proves:
        raise _held(holder_id, None, "its session file has not arrived here, so it cannot be called dead")


def _judge(store: Store, holder: SessionFile | None, me: Host, lease_s: float | None) -> Verdict:
    silent_s = (store.now() - holder.heard_at).total_seconds() if holder else 0.0
    return judge_holder(holder, me, silent_s=silent_s, proves_silence=store.properties.proves_arrival, lease_s=lease_s)


def _look(store: Store, folder: str, head: Head, holder_id: str) -> SessionFile | None:
    try:
        return read_session(store, folder, holder_id, store_id=head.session_ids.get(holder_id))
    except (NotFoundError, FormatError):
        return None


def _held(holder_id: str, holder: SessionFile | None, why: str) -> HeldElsewhereError:
    where = f" ({holder.session.account}, {holder.session.host.provider})" if holder else ""
    return HeldElsewhereError(
        f"session {holder_id}{where} holds this run: {why}",
        hint=f"stop it there, or take the run over with start(..., takeover={holder_id!r}) (or `batonpass watch --takeover`): the other "
        "session then goes on as a branch",
    )
