"""Why the last reading of a store failed, as pages tell it. No Streamlit."""

from __future__ import annotations

from dataclasses import dataclass

from batonpass.core.errors import BatonpassError
from batonpass.core.trouble import Kind, kind_of


@dataclass(frozen=True, slots=True)
class Problem:
    """What happened, what to do, and of what kind it is. The texts are untrusted."""

    message: str
    hint: str = ""
    kind: Kind = Kind.LATER

    @classmethod
    def of(cls, error: BatonpassError) -> Problem:
        """An error of the store as a problem."""
        return cls(error.message, error.hint, kind_of(error))
