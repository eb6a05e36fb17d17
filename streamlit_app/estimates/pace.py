"""How fast a session trained."""

from __future__ import annotations

from batonpass.core.model import Session

ENOUGH_S = 2.0
ENOUGH_STEPS = 20
"""A session that did less says little about speed."""


def speed(session: Session) -> float | None:
    """Steps per second inside the loop; None where too little was measured."""
    enough = session.trained_s >= ENOUGH_S and session.steps_done >= ENOUGH_STEPS
    return session.steps_done / session.trained_s if enough else None
