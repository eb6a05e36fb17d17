"""Poison for a store's files: every text, number or time in them replaced by what somebody else's Drive might hold."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batonpass.core import naming
from batonpass.core.codec import encode
from batonpass.core.metrics.row import Row
from batonpass.core.metrics.segments import describe_segment, encode_segment

from .conftest import HOSTILE, edit

KEPT = {
    *("id", "run_id", "root_id", "format", "kind", "key", "session", "holder", "sessions", "created_by", "checkpoint"),
    *("sha256", "md5", "manifest_sha256", "provider"),
}
"""What leads from one file to the next: without it there would be nothing left to show."""
TEXTS = {
    "markup": HOSTILE,
    "script": "</textarea><script>alert(1)</script>\n# head\n- [link](javascript:alert(1)) ![x](http://evil.example/p.png)",
    "paths": "../../../../etc/passwd\\..\\..\\windows\\system32 C:nul /dev/null ~/x ..\x00/",
    "directions": "\u202egnp.exe\u2066 \u200b\ufeff\u0000\x1b[2J \U000e0041 a\u0300\u0301 e\ud800",
    "long": "w" * 100_000,
    "quotes": '\'; DROP TABLE "runs"; -- {{7*7}} ${7*7} %s %n {0} {b} \\ `c` """ \'\'\'',
    "empty": "",
}
NUMBERS: tuple[Any, ...] = (
    *(10**30, -(10**30), 10**400, 2**63 - 1, -(2**63), 2**53 + 1, -1, 0, 1, 1e308, -1e308, 5e-324, 1e18),
    *(math.nan, math.inf, -math.inf),
)
TIMES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "1970-01-01T00:00:00+14:00")
EDGES = ("1970-01-02T00:00:00Z", "2260-12-31T23:59:59Z")
"""Times that are allowed and that no training was at."""


def poison(root: Path, change: Callable[[str, Any], Any], *, names: str = "*.json") -> None:
    """Every leaf of every JSON file under `root` through `change(field, leaf)`; the files keep their times."""
    for path in sorted(root.rglob(names)):
        at = path.stat().st_mtime
        tree = _walk("", json.loads(path.read_bytes()), change)
        path.write_text(json.dumps(tree), errors="replace")
        os.utime(path, (at, at))


def text_poison(text: str) -> Callable[[str, Any], Any]:
    """Every text that is no link between files becomes `text`."""
    return lambda field, leaf: text if isinstance(leaf, str) and field not in KEPT and not _is_time(leaf) else leaf


def number_poison(seed: int, share: float = 0.1) -> Callable[[str, Any], Any]:
    """Some of the numbers become one of `NUMBERS`, by `seed`."""
    rng = random.Random(seed)

    def change(field: str, leaf: Any) -> Any:
        number = isinstance(leaf, (int, float)) and not isinstance(leaf, bool)
        return rng.choice(NUMBERS) if number and field != "format" and rng.random() < share else leaf

    return change


def time_poison(times: tuple[str, ...], seed: int, share: float = 0.3) -> Callable[[str, Any], Any]:
    """Some of the times become one of `times`, by `seed`."""
    rng = random.Random(seed)
    return lambda _, leaf: rng.choice(times) if _is_time(leaf) and rng.random() < share else leaf


def add_hostile_metrics(root: Path, run: str) -> None:
    """A sealed segment in the first session of `run` whose names, steps, times and values are all hostile, and listed as it should be."""
    folder = next((root / "runs").glob(f"{run}*"))
    path = min((folder / "sessions").iterdir())
    session = json.loads(path.read_text())
    values = (1e308, -1e308, math.nan, math.inf, -math.inf, 5e-324, 0.0)
    moments = (0.0, -1e18, 1e18, 253402300799.0, -62135596800.0, 1.7e9, 1e300)
    rows = [
        Row(row, step, 1e30 if row % 5 else -1.0, moments[row % 7], name, values[(row + row // 7) % 7])
        for row, (step, name) in enumerate(
            (step, name)
            for step in (-5, 0, 1, 2**53 + 1, 2**62, 2**63 - 1, -(2**63) + 1)
            for name in (
                "loss",
                HOSTILE,
                TEXTS["script"],
                TEXTS["paths"],
                TEXTS["long"],
                TEXTS["empty"],
                "=cmd()|'x'!A1",
            )
        )
    ]
    key = naming.segment_file(f"runs/{folder.name}/", session["id"], 99)
    body = encode_segment(rows)
    (root / key).write_bytes(body)
    segment = json.loads(encode(describe_segment(key, rows, body)))
    edit(path, segments=[segment], rows=len(rows), tail={})


def _walk(field: str, tree: Any, change: Callable[[str, Any], Any]) -> Any:
    if isinstance(tree, dict):
        free = field in ("config", "metrics", "versions", "sync", "environment")
        return {(change("name", key) if free else key): _walk(key, item, change) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_walk(field, item, change) for item in tree]
    return change(field, tree)


def _is_time(leaf: Any) -> bool:
    return isinstance(leaf, str) and len(leaf) == 24 and leaf.endswith("Z") and leaf[4] == "-"
