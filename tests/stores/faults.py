"""A store that fails on a script: the errors real stores answer with, at chosen calls, before or after the work was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from batonpass.core.errors import StoreError, StoreUnreachableError
from batonpass.core.storage import Store

OPS = {"put", "get", "fetch", "stat", "checksum", "list_objects", "list_folders", "delete", "new_ids", "now"}


def unreachable(op: str) -> StoreError:
    """What a throttled or silent store says."""
    return StoreUnreachableError(f"{op}: no answer", op=op)


@dataclass
class Fault:
    """Fails one call of `op`. `after`: the work is done and only the answer is lost."""

    op: str
    after: bool = False
    make: Callable[[str], StoreError] = unreachable
    before_raise: Callable[[], object] = lambda: None


@dataclass
class FaultyStore:
    """`inner` with a script. Each fault fires once, in order, at the next call of its operation; every call is counted."""

    inner: Store
    script: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if name not in OPS:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            fault = next((f for f in self.script if f.op == name), None)
            if fault is None:
                return value(*args, **kwargs)
            self.script.remove(fault)
            if fault.after:
                value(*args, **kwargs)
            fault.before_raise()
            raise fault.make(name)

        return call


class EveryOtherCallFails(FaultyStore):
    """Each operation fails at its first, third, fifth ... call, with the work undone."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if name not in OPS:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if self.calls.count(name) % 2:
                raise unreachable(name)
            return value(*args, **kwargs)

        return call
