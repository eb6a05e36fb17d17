"""Who was first, read from a file's revisions: pure."""

from __future__ import annotations

import hashlib
import random

import pytest

from batonpass.sync.drive.history import Revision, mark_after, mark_again, read_history, read_revisions


def md5(body: str) -> str:
    return hashlib.md5(body.encode()).hexdigest()


def write(name: str, body: str, after: str | None = None, again: str | None = None) -> Revision:
    """A revision as its writer marked it."""
    mark = mark_after(after, md5(body)) if after else mark_again(again, md5(body)) if again else ""
    return Revision(name, md5(body), mark)


START = write("r0", "start")


@pytest.mark.parametrize(
    ("later", "current", "whole"),
    [
        pytest.param([], "r0", True, id="nothing happened"),
        pytest.param([write("r1", "a", after="r0")], "r1", True, id="one swap"),
        pytest.param([write("r1", "a", after="r0"), write("r2", "b", after="r1")], "r2", True, id="two in turn"),
        pytest.param(
            [write("r1", "a", after="r0"), write("r2", "b", after="r0")], "r1", False, id="the second is late"
        ),
        pytest.param(
            [write("r1", "a", after="r0"), write("r2", "b", after="r0"), write("r3", "a", again="r1")],
            "r1",
            True,
            id="and was put right",
        ),
        pytest.param(
            [
                write("r1", "a", after="r0"),
                write("r2", "b", after="r0"),
                write("r3", "a", again="r1"),
                write("r4", "c", after="r3"),
                write("r5", "a", again="r1"),
            ],
            "r4",
            False,
            id="putting right came too late itself",
        ),
        pytest.param([write("r1", "a")], "r1", True, id="a write without a condition counts"),
        pytest.param(
            [write("r1", "a", after="r0"), Revision("r2", md5("b"), mark_after("r0", md5("a")))],
            "r2",
            True,
            id="so does one that inherited the mark of an older content",
        ),
    ],
)
def test_the_current_content_is_the_last_lawful_one(later, current, whole):
    history = read_history([START, *later])
    assert (history.current.id, history.whole) == (current, whole)


@pytest.mark.parametrize("seed", range(200))
def test_each_version_has_one_successor_however_writes_mix(seed):
    """Late writers and late repairs in any order: every content that was ever accepted is in the chain that leads to the current one."""
    chance = random.Random(seed)
    revisions, parents = [START], {"r0": None}
    for i in range(1, 30):
        history = read_history(revisions)
        seen = read_history(revisions[: chance.randint(1, len(revisions))])  # what a slow writer had read
        if chance.random() < 0.3:
            body, mark = seen.current, mark_again(seen.current.id, seen.current.md5)
            revisions.append(Revision(f"r{i}", body.md5, mark))
            continue
        expect = seen.current.id
        revisions.append(write(f"r{i}", f"body {i}", after=expect))
        parents[f"r{i}"] = expect
        lawful = f"r{i}" in read_history(revisions).accepted
        assert lawful == (expect == history.current.id)
    history = read_history(revisions)
    chain, at = set(), history.current.id
    while at is not None:
        chain.add(at)
        at = parents[at]
    assert chain == history.accepted


def test_revisions_come_in_the_order_of_their_times():
    """Drive does not promise an order."""
    items = [
        {"id": "b", "md5Checksum": "2", "modifiedDate": "2026-11-23T08:00:01.000Z"},
        {"id": "a", "md5Checksum": "1", "modifiedDate": "2026-11-23T08:00:00.000Z", "originalFilename": "x"},
    ]
    assert [(r.id, r.mark) for r in read_revisions(items)] == [("a", "x"), ("b", "")]
