"""An account: a label that the user types, and what the user says about it. Never an e-mail or a secret by default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from batonpass.core.model.run import FORMAT


@dataclass(frozen=True, slots=True)
class UnitRate:
    """What an hour of one GPU takes off the units, as the user read it off the provider's page."""

    gpu: str
    """Its name in the catalogue, or the driver's."""
    per_hour: float
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """`accounts/<label>.json`. All of it typed by the user."""

    label: str
    provider: str = ""
    plan: str = ""
    price: float | None = None
    """Per month, in `currency`."""
    currency: str = "USD"
    units: float | None = None
    units_seen_at: datetime | None = None
    """When the user read `units` off the provider's page."""
    unit_rates: tuple[UnitRate, ...] = ()
    """At most one for each GPU; these go before the rates that Batonpass knows."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Note:
    """One small file each, so that two laptops never overwrite each other's. A newer note may `replaces` an older one."""

    id: str
    written_at: datetime
    text: str
    """Untrusted text; an empty text removes the note it replaces."""
    replaces: str | None = None
    format: int = FORMAT
