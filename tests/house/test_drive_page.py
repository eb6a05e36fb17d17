"""The troubleshooting table of docs/DRIVE.md quotes the product word for word."""

from __future__ import annotations

import ast
import re
from functools import cache

from house.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "DRIVE.md").read_text(encoding="utf-8")


@cache
def said() -> tuple[str, ...]:
    """Every text in the source, an f-string's fields as "…"."""
    found = []
    for folder in ("core", "sync", "src", "streamlit_app"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return tuple(found)


def quoted(page: str) -> list[str]:
    """What the first column of the table under "Troubleshooting" quotes."""
    part = page.partition("## Troubleshooting")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0] for line in part.splitlines() if line.startswith("| `")]
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row)]


def unsaid(messages: list[str]) -> list[str]:
    """Those that no text in the source holds. A "…" at the end stands for the rest of it."""
    return [m for m in messages if not any(m.removesuffix("…").rstrip() in text for text in said())]


def test_every_message_that_the_page_quotes_is_the_products_own():
    messages = quoted(PAGE)
    assert len(messages) > 20
    assert not unsaid(messages)


def test_a_message_that_nobody_says_is_noticed():
    row = "## Troubleshooting\n\n| `Google Drive is tired (…)` | x | y |\n| `no sign-in for Google Drive` | x | y |\n"
    assert unsaid(quoted(row)) == ["Google Drive is tired (…)"]


def test_every_sign_in_error_is_on_the_page():
    """A new message about signing in comes with its row."""
    source = (CHECKOUT / "sync" / "sign_in.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "SignInError"]
    texts = [c.args[0].value for c in calls if isinstance(c.args[0], ast.Constant)]
    told = " ".join(quoted(PAGE))
    assert len(texts) > 5
    assert not [t for t in texts if t not in told]
