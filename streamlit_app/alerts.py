"""What about a run wants a person's eye, from its records alone: pure rules. Each alert keeps its key for as long as the same thing is the
matter, so that whoever passes alerts on tells of it once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from batonpass.core.model import Session
from batonpass.core.states import Word
from batonpass.core.trouble import Kind
from batonpass.streamlit_app.condition import StoreCondition
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.standing import RunStanding
from batonpass.streamlit_app.wording import duration, plural, size
from batonpass.sync.room import Room

NO_PROGRESS_S = 1800.0
"""A process that lives and has logged nothing for so long stands still; longer where this session logs more rarely."""
RISK_S = 3600.0
"""More training than this without a durable checkpoint is told, unless the user has set another limit."""
OLD_S = 7 * 86400.0
"""What has been silent or failed for so long is known: its state word stands, and it is no alert any more."""
TAKEN_OVER = timedelta(seconds=60)
"""A machine that is heard of so long after another one took its run trains on; what was heard before tells nothing: it may have died then."""
NEARLY_FULL = 0.05
"""The share of a disk or a Drive that is left when it is called nearly full."""
CHECKPOINTS_OF_ROOM = 3
"""Room for fewer further checkpoints is called nearly full, too."""
_LOSS_LIKE = ("loss", "nll", "perplexity", "cost", "objective")


class AlertKind(StrEnum):
    """What is the matter, in the words that stand on the card."""

    SILENT = "no sign of life"
    FAILED = "stopped with an error"
    NO_PROGRESS = "beats, but no steps"
    NOT_A_NUMBER = "the loss is no number"
    FULL = "the store is full"
    NOT_SENT = "checkpoints are not getting through"
    NEARLY_FULL = "space is nearly used up"
    TWO_HOLDERS = "two machines train this run"
    CONFLICT = "two machines wrote one file"
    AT_RISK = "much work is not saved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is the matter with a run. `says` and `todo` hold untrusted text: escape them."""

    kind: AlertKind
    key: str
    """The same for as long as it is the same occurrence."""
    says: str
    todo: str


def alerts(
    run: RunStory,
    standing: RunStanding,
    now: datetime,
    condition: StoreCondition | None = None,
    *,
    risk_s: float = RISK_S,
) -> tuple[Alert, ...]:
    """What is the matter with one run at `now`, the store's clock when it was read; the most pressing first. None once it is finished."""
    session = standing.session
    if session is None or standing.is_finished or run.files.annotations.archived:
        return ()
    room = condition.room if condition is not None else None
    copies = condition.conflicts.get(run.files.folder, ()) if condition is not None else ()
    found = [
        _not_a_number(session),
        *((_lane(session), _no_progress(session), _at_risk(standing, session, risk_s)) if standing.is_live else ()),
        _nearly_full(session, room) if standing.is_live else None,
        _gone(standing, session),
        _two_holders(run, standing, session, now),
        _conflict(run, copies),
    ]
    return tuple(a for a in found if a is not None)


def _gone(standing: RunStanding, session: Session) -> Alert | None:
    word = standing.state.word
    if (standing.state.age_s or 0.0) > OLD_S:
        return None
    if word in (Word.LOST, Word.PROCESS_GONE):
        age = duration(standing.state.age_s)
        says = f"Last heard of {age} ago" if word is Word.LOST else "The machine answers, its training process is gone"
        todo = "Look at the notebook if it is still open; otherwise resume from the last checkpoint."
        return Alert(AlertKind.SILENT, f"silent/{session.id}/{session.beat}", says, todo)
    if word is Word.FAILED:
        says = session.end.detail[:160] if session.end and session.end.detail else "The training code raised an error"
        return Alert(AlertKind.FAILED, f"failed/{session.id}", says, "Mend the cause first, then resume.")
    return None


def _no_progress(session: Session) -> Alert | None:
    """By the machine's own clock, from what it logged: its heartbeat against its newest row, and the pauses it has made before."""
    times = _times(session)
    if not times or session.end is not None:
        return None
    pauses = [b - a for a, b in pairwise(times)]
    idle_s = session.heartbeat_at.timestamp() - times[-1]
    if idle_s < max(NO_PROGRESS_S, 3 * max(pauses, default=0.0)):
        return None
    says = f"At step {session.step:,} for {duration(idle_s)}"
    todo = "A long validation looks like this; so does a loop that waits for data. Look at the notebook's output."
    return Alert(AlertKind.NO_PROGRESS, f"still/{session.id}/{session.step}", says, todo)


def _not_a_number(session: Session) -> Alert | None:
    for name, value in _newest_losses(session).items():
        if not math.isfinite(value):
            says = f"{name[:60]} is {value} near step {session.step:,}"
            todo = "Training on from here seldom mends it: resume from a checkpoint before it, with a lower learning rate or another precision."
            return Alert(AlertKind.NOT_A_NUMBER, f"nan/{session.id}/{name[:60]}", says, todo)
    return None


def _lane(session: Session) -> Alert | None:
    """What the machine itself says of its uploads."""
    lanes = [lane for name in ("blobs", "beat") if isinstance(lane := session.sync.get(name), Mapping)]
    for lane in lanes:
        kind, hint = str(lane.get("kind", "")), str(lane.get("hint", ""))[:200]
        if kind == Kind.FULL:
            todo = hint or "Make room: empty the Drive's trash, or remove old checkpoints on the Run page."
            return Alert(
                AlertKind.FULL, f"full/{session.id}", "Checkpoints stay on the machine until there is room", todo
            )
        if kind in (Kind.DAY_CAP, Kind.NEEDS_LOGIN, Kind.REFUSED) or lane.get("stuck") is True:
            says = f"The machine says: {kind or 'an upload has stood still for a quarter of an hour'}"
            return Alert(
                AlertKind.NOT_SENT,
                f"unsent/{session.id}/{kind or 'stuck'}",
                says,
                hint or "See the card in the notebook.",
            )
    return None


def _nearly_full(session: Session, room: Room | None) -> Alert | None:
    if room is None:
        return None
    largest = max((c.size_bytes for c in session.checkpoints), default=0)
    if room.free_bytes > NEARLY_FULL * room.total_bytes and room.free_bytes > CHECKPOINTS_OF_ROOM * largest:
        return None
    says = f"{size(room.free_bytes)} of {size(room.total_bytes)} left where the checkpoints go"
    if largest:
        says += f", room for {plural(int(room.free_bytes // largest), 'more checkpoint')}"
    todo = "Empty the trash, or remove checkpoints that you do not need on the Run page."
    return Alert(AlertKind.NEARLY_FULL, f"space/{session.id}", says, todo)


def _two_holders(run: RunStory, standing: RunStanding, session: Session, now: datetime) -> Alert | None:
    if not standing.is_live:
        return None
    for other in run.files.sessions:
        left = other.session
        fresh = (now - other.heard_at).total_seconds() < NO_PROGRESS_S / 6
        knows_it = left.branch is not None and left.branch.startswith("lost to ")
        went_on = left.branch is None and other.heard_at - session.started_at > TAKEN_OVER
        if left.id != session.id and left.end is None and left.alive and fresh and (knows_it or went_on):
            says = f"{left.account[:40] or 'A machine'} trains on beside {session.account[:40] or 'the holder'}"
            todo = "Nothing is lost, the first one's work is kept as a branch. Stop the one that you do not want."
            return Alert(AlertKind.TWO_HOLDERS, f"holders/{session.id}/{left.id}", says, todo)
    return None


def _conflict(run: RunStory, copies: tuple[str, ...]) -> Alert | None:
    if not copies:
        return None
    says = f"The mounted Drive made {plural(len(copies), 'copy', 'copies')}: {', '.join(copies[:3])}"
    todo = "Decide which machine should hold the run; `batonpass doctor` lists every copy."
    return Alert(AlertKind.CONFLICT, f"copies/{run.files.info.run_id}/{len(copies)}", says, todo)


def _at_risk(standing: RunStanding, session: Session, risk_s: float) -> Alert | None:
    if standing.risk_s <= max(risk_s, 3 * (session.save_every_s or 0.0)):
        return None
    newest = standing.newest
    says = f"{duration(standing.risk_s)} of training since the last durable checkpoint"
    todo = "The notebook's card says what its uploads wait for; `run.save()` asks for a checkpoint now."
    return Alert(AlertKind.AT_RISK, f"risk/{session.id}/{newest.step if newest else 0}", says, todo)


def _recent(session: Session) -> Sequence[tuple[int, int, float, float, int, float | str]]:
    """The last rows of the tail: enough for the newest value of each metric that is logged as often as others."""
    return session.tail.rows[-(4 * len(session.tail.names) + 100) :]


def _times(session: Session) -> list[float]:
    """Moments at which something was logged, rising, in Unix seconds."""
    return sorted({float(row[3]) for row in _recent(session) if math.isfinite(float(row[3]))})


def _newest_losses(session: Session) -> dict[str, float]:
    """Metric -> its newest value in the tail, of the metrics that are called like a loss. Ends as soon as each has been met."""
    wanted = {n: name for n, name in enumerate(session.tail.names) if _is_loss(name)}
    newest: dict[str, float] = {}
    for row in reversed(_recent(session)) if wanted else ():
        if row[4] in wanted:
            newest[wanted.pop(row[4])] = _float(row[5])
            if not wanted:
                break
    return newest


@lru_cache(maxsize=4096)
def _is_loss(name: str) -> bool:
    """Remembered: 500 runs with 200 metrics each have mostly the same names."""
    return any(word in name.lower() for word in _LOSS_LIKE)


def _float(value: float | str) -> float:
    """As the tail writes it; any other word is no news."""
    try:
        return float(value)
    except (OverflowError, ValueError):
        return 0.0
