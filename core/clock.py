"""The wall clock, as the one thing that code takes by default where tests pass another."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """This machine's clock, aware UTC."""
    return datetime.now(UTC)
