"""The state word of a session and of a run: what is known, and never why a provider ended a machine. Pure.

Ages are reckoned by the store's clock. A computer that cannot reach the store knows nothing about a session's death.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from batonpass.core.lineage import Lineage, did_anything, trace
from batonpass.core.model import End, EndKind, Head, Session

QUIET_AFTER_S = 150.0
"""Two idle heartbeats (60 s each) and some slack have been missed."""
LOST_AFTER_S = 300.0
"""Five minutes of the store's own clock: a store that answers about itself."""
MOUNT_QUIET_AFTER_S = 600.0
"""A mounted Drive brings a heartbeat to other computers minutes late."""
MOUNT_LOST_AFTER_S = 1800.0


PARTED_DETAIL = "what mirrored it was gone; its training process lived on"
"""What the next process on the machine writes into `End.detail` of such a session, with `EndKind.CLOSED`."""


class Word(StrEnum):
    """What is said about a session or a run."""

    NOT_STARTED = "not started"
    LIVE = "live"
    QUIET = "quiet"
    LOST = "lost contact"
    PROCESS_GONE = "training process gone"
    """The machine still beats (a watcher, an idle kernel), but the training process does not live."""
    RESTARTED = "kernel restarted"
    STOPPED = "stopped by you"
    FAILED = "failed with an error"
    CLOSED = "closed below the goal"
    PARTED = "mirroring stopped"
    """What mirrored it went away while its training process lived on: how far that came is not known."""
    FINISHED = "finished, not proven yet"
    PROVEN = "finished and proven"
    UNKNOWN = "unknown"
    """Only with `State.offline`, where there was never an answer."""


@dataclass(frozen=True, slots=True)
class State:
    """A state word and one sentence about it."""

    word: Word
    sentence: str
    offline: bool = False
    """This computer cannot reach the store: the word is the last one known, and nobody is declared dead."""
    age_s: float | None = None
    """Seconds since the last heartbeat by the store's clock; None when not known."""


_ENDS = {
    EndKind.CLOSED: (Word.CLOSED, "The session was finished before the goal; the run can go on."),
    EndKind.STOPPED: (Word.STOPPED, "The loop was interrupted by hand."),
    EndKind.FAILED: (Word.FAILED, "The training code raised an error."),
    EndKind.RESTARTED: (Word.RESTARTED, "The kernel was restarted: the machine lives, the training process does not."),
}


def session_state(
    session: Session,
    age_s: float | None,
    *,
    offline: bool = False,
    mount: bool = False,
    arrived: Collection[str] = (),
) -> State:
    """The state of one session.

    `age_s`: seconds since its file last changed, by the store's clock; None when the store was not asked. `offline`: this computer
    cannot reach the store now. `mount`: the store is a folder that some program synchronises, where heartbeats arrive late.
    `arrived`: manifest keys that receipts prove.
    """
    if session.end is not None:
        word, sentence = _ended(session, session.end, arrived)
        return State(word, sentence, offline, age_s)
    if offline or age_s is None:
        return State(
            Word.UNKNOWN,
            "This computer is offline; what the session does now is not known." if offline else "Not asked yet.",
            offline,
            age_s,
        )
    return _by_age(session, max(age_s, 0.0), mount=mount)


def run_state(
    head: Head,
    sessions: Iterable[Session],
    ages_s: Mapping[str, float],
    *,
    offline: bool = False,
    mount: bool = False,
    arrived: Collection[str] = (),
) -> State:
    """The state of a run: that of the session which `speaks_for` it. `ages_s` by session id, as in `session_state`."""
    known = {s.id: s for s in sessions}
    if head.holder is not None and head.holder not in known:
        return State(Word.UNKNOWN, "The file of the session that holds the run has not arrived here.", offline)
    session = speaks_for(trace(head, known.values()), {} if offline else ages_s, mount=mount)
    if session is None:
        word = Word.UNKNOWN if offline else Word.NOT_STARTED
        return State(word, "This computer is offline." if offline else "No session has begun yet.", offline)
    return session_state(session, ages_s.get(session.id), offline=offline, mount=mount, arrived=arrived)


def speaks_for(lineage: Lineage, ages_s: Mapping[str, float], *, mount: bool = False) -> Session | None:
    """The session whose state is the run's: its holder, or the one that held it last. A start that did nothing, and never attached or is
    over, does not make a finished run unfinished, unless it went back to an earlier checkpoint: there it is the one that finished it.
    None where no session has begun. Ages and `mount` as in `run_state`.
    """
    if not lineage.links:
        return None
    newest = lineage.links[0].session
    age_s = ages_s.get(newest.id)
    vanished = age_s is not None and _by_age(newest, max(age_s, 0.0), mount=mount).word in (
        Word.LOST,
        Word.PROCESS_GONE,
    )
    only_started = newest.resumed_from is None
    if did_anything(newest) or not (only_started or vanished or newest.end is not None):
        return newest
    before = next((link.session for link in lineage.links if did_anything(link.session)), newest)
    went_back = newest.resumed_from is not None and newest.step < before.step
    return before if before.end is not None and before.end.kind is EndKind.FINISHED and not went_back else newest


def last_on_its_way(lineage: Lineage) -> Session | None:
    """The newest session that continued from a checkpoint, trained or logged: its step is the run's. One that was only started, and
    perhaps broke off before `attach`, stands nowhere yet; the newest session of all where there are none but such.
    """
    sessions = [link.session for link in lineage.links]
    begun = (s for s in sessions if s.resumed_from is not None or did_anything(s))
    return next(begun, sessions[0] if sessions else None)


def stands(word: Word, session: Session, *, continued: bool) -> str:
    """How a session stands among the others of its run. Without an end of its own it is neither live nor missed once another has
    `continued` the run; one that ended without having done anything neither finished nor broke off.
    """
    if continued and word in (Word.LIVE, Word.QUIET, Word.LOST):
        return "continued by another"
    if session.end is not None and session.end.kind in (EndKind.FINISHED, EndKind.CLOSED) and not did_anything(session):
        return "nothing trained"
    return word.value


def said_its_end(session: Session) -> bool:
    """Whether its own process wrote its last words, so that its last step is known; not a machine that vanished, nor what the next
    process on that machine wrote for one that was gone.
    """
    return session.end is not None and session.end.kind is not EndKind.RESTARTED and session.end.detail != PARTED_DETAIL


def is_proven(session: Session, *, arrived: Collection[str] = ()) -> bool:
    """Whether the session's last step stands in a checkpoint whose every byte is proven."""
    good = [c for c in session.checkpoints if c.key not in session.quarantined]
    return bool(good) and good[-1].step >= session.step and (good[-1].proven or good[-1].key in arrived)


def _ended(session: Session, end: End, arrived: Collection[str]) -> tuple[Word, str]:
    if end.kind is EndKind.CLOSED and end.detail == PARTED_DETAIL:
        return Word.PARTED, "What mirrored this session was gone, and its training process lived on."
    if end.kind is not EndKind.FINISHED:
        return _ENDS[end.kind]
    if is_proven(session, arrived=arrived):
        return Word.PROVEN, "The goal is reached and the last checkpoint has arrived, every byte proven."
    return Word.FINISHED, "The goal is reached; that the last checkpoint has arrived is not proven yet."


def _by_age(session: Session, age_s: float, *, mount: bool) -> State:
    quiet_s, lost_s = (MOUNT_QUIET_AFTER_S, MOUNT_LOST_AFTER_S) if mount else (QUIET_AFTER_S, LOST_AFTER_S)
    if age_s >= lost_s:
        return State(Word.LOST, "No sign of life for longer than a living session would stay silent.", age_s=age_s)
    if not session.alive:
        return State(Word.PROCESS_GONE, "The machine still answers, but the training process is gone.", age_s=age_s)
    if age_s >= quiet_s:
        return State(Word.QUIET, "A heartbeat is late; that can be the network.", age_s=age_s)
    return State(Word.LIVE, "The training process lived at its last sign of life.", age_s=age_s)
