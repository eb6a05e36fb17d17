"""What one process of a training tells the others of an error, and how that becomes an error in them."""

from __future__ import annotations

from typing import Any

import batonpass.core.errors as known
from batonpass.core.errors import BatonpassError, RankLostError


def verdict(error: Exception | None, rank: int = 0) -> dict[str, Any]:
    """What a process tells of how something went in it."""
    return {} if error is None else {"error": _told(error), "rank": rank}


def heard(facts: dict[str, Any]) -> dict[str, Any]:
    """What a process has told; its error, raised."""
    told = facts.get("error")
    if told is None:
        return facts
    rank = facts.get("rank", 0)
    where = f"process {rank}" if rank else "the first process (rank 0)"
    kind = getattr(known, told["kind"], BatonpassError) if told["kind"] else BatonpassError
    raise kind(f"in {where}: {told['message']}", hint=told["hint"])


def apart(error: Exception) -> RankLostError:
    """Why this process cannot train on after an error between the others."""
    return RankLostError(
        f"a save broke off while the processes put their parts together ({type(error).__name__}: {str(error)[:200]}); going on could mix "
        "what is left of it into the training",
        hint="the last checkpoint is as it was: start all processes again; the error above says what broke",
    )


def _told(error: Exception) -> dict[str, str]:
    if isinstance(error, BatonpassError):
        return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
    return {"kind": "", "message": f"{type(error).__name__}: {error}", "hint": ""}
