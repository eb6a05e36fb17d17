"""Batonpass lets a training run outlive its machines: `start`, `attach`, loop over `steps`, `log`, `finish`.

Importing this loads neither torch nor anything that talks to a network; the parts are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batonpass.adopting import adopt as adopt
    from batonpass.core.errors import BatonpassError as BatonpassError
    from batonpass.restoring import restore as restore
    from batonpass.run import Run as Run
    from batonpass.starting import start as start
    from batonpass.watching import watch as watch

__version__ = "0.1.0"

_HOMES = {
    "BatonpassError": "batonpass.core.errors",
    "Run": "batonpass.run",
    "adopt": "batonpass.adopting",
    "restore": "batonpass.restoring",
    "start": "batonpass.starting",
    "watch": "batonpass.watching",
}
__all__ = ["BatonpassError", "Run", "__version__", "adopt", "restore", "start", "watch"]  # found by __getattr__


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'batonpass' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
