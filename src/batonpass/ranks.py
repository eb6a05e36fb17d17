"""`start` under `torchrun`: the first process opens the run, the others follow it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from batonpass.core.training.ranks import Channel
    from batonpass.run import Run

P = ParamSpec("P")
_following: dict[tuple[str, str], Run] = {}
"""(name, store) -> the run that this process follows, as the lead has it open."""


def on_every_rank(start: Callable[P, Run]) -> Callable[P, Run]:
    """`start`, called in every process of a training, runs in the first of them only; its errors reach all."""

    @wraps(start)
    def started(*args: P.args, **kwargs: P.kwargs) -> Run:
        from batonpass.core.training.ranks import Channel, find_world  # noqa: PLC0415  # loads torch, which `import batonpass` must not

        world = find_world(os.environ)
        if world.size == 1:
            return start(*args, **kwargs)
        channel = Channel(world)
        if channel.leads:
            return _lead(channel, lambda: start(*args, **kwargs))
        return _follow(channel, (str(args[0] if args else kwargs.get("name")), str(kwargs.get("store"))))

    return started


def _lead(channel: Channel, start: Callable[[], Run]) -> Run:
    from batonpass.leading import Lead  # noqa: PLC0415  # as above
    from batonpass.starting import say  # noqa: PLC0415  # it imports this module

    team = Lead(channel, say)
    with team.outcome():
        run = start()
    team.tell(run.lead(team))
    return run


def _follow(channel: Channel, key: tuple[str, str]) -> Run:
    from batonpass.following import Follower  # noqa: PLC0415  # as above

    before = _following.pop(key, None)
    if before is not None:
        before.finish()  # as the lead's `start` does
    _following[key] = Follower(channel)
    return _following[key]
