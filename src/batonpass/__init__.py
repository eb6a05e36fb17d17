"""Batonpass lets a training run outlive its machines: `start`, `attach`, loop over `steps`, `log`, `finish`.

Importing this loads neither torch nor anything that talks to a network; the parts are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batonpass.core.errors import BatonpassError as BatonpassError
    from batonpass.run import Run as Run
    from batonpass.starting import start as start

__version__ = "0.1.0"

_HOMES = {
    "BatonpassError": "batonpass.core.errors",
    "Run": "batonpass.run",
    "start": "batonpass.starting",
}
__all__ = ["BatonpassError", "Run", "__version__", "start"]  # found by __getattr__


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'batonpass' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
