"""The documentation is true as far as a machine can tell: links lead somewhere, code compiles, names exist, nothing private is in it."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import importlib
import re
import textwrap

import pytest
from house.checkout import CHECKOUT
from house.test_packaging import MODULES

from batonpass.core import model
from batonpass.core.training import tags

PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
TEXTS = {path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<picture>[^)\s]+)\)")
PRIVATE = re.compile(r"(?<![\w.~$}-])/(?:root|home|tmp|opt|srv|mnt|work|Users)/")
"""A path on somebody's machine."""
HOSTS = {
    "accounts.google.com",
    "colab.research.google.com",
    "console.cloud.google.com",
    "docs.pytorch.org",
    "docs.streamlit.io",
    "drive.google.com",
    "github.com",
    "huggingface.co",
    "keepachangelog.com",
    "lightning.ai",
    "parquet.apache.org",
    "pytorch.org",
    "research.google.com",
    "runs.example.org",
    "semver.org",
    "www.googleapis.com",
    "www.kaggle.com",
}
"""Where the documentation may send a reader."""


def without_code(text: str) -> str:
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    titles = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).lower()).replace(" ", "-") for title in titles}


def broken_links(name: str, text: str) -> list[str]:
    found = []
    for match in LINK.finditer(without_code(text)):
        target = match["target"] or match["picture"]
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (CHECKOUT / name).parent / file if file else CHECKOUT / name
        if not path.exists():
            found.append(f"{name}: {target} is not there")
        elif anchor and anchor not in anchors(path.read_text(encoding="utf-8")):
            found.append(f"{name}: {target} has no such heading")
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_every_relative_link_leads_to_a_file_and_a_heading(name):
    assert not broken_links(name, TEXTS[name])


def test_a_broken_link_is_noticed():
    assert broken_links("docs/X.md", "see [this](NOWHERE.md) and [that](FORMAT.md#no-such-heading)") == [
        "docs/X.md: NOWHERE.md is not there",
        "docs/X.md: FORMAT.md#no-such-heading has no such heading",
    ]


def python_blocks(text: str) -> list[tuple[int, str]]:
    """The line that each begins at, and its code."""
    found = [match for match in FENCE.finditer(text) if match["language"] in ("python", "py")]
    return [(text[: match.start()].count("\n") + 2, textwrap.dedent(match["body"])) for match in found]


def broken_blocks(name: str, text: str) -> list[str]:
    found = []
    for line, code in python_blocks(text):
        try:
            ast.parse(code)
        except SyntaxError as error:
            found.append(f"{name}:{line}: {error.msg}")
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_every_python_block_compiles(name):
    assert not broken_blocks(name, TEXTS[name])


def test_a_broken_block_is_noticed():
    assert broken_blocks("docs/X.md", "# X\n\n```python\nfor x in:\n    pass\n```\n") == ["docs/X.md:4: invalid syntax"]
    assert python_blocks(TEXTS["README.md"])


@pytest.mark.parametrize("name", TEXTS)
def test_every_make_target_that_is_named_exists(name):
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^ *|`)make ([a-z][a-z-]*)", TEXTS[name], re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("name", TEXTS)
def test_every_verb_that_is_named_exists(name):
    from batonpass.__main__ import VERBS

    named = set(re.findall(r"(?:^ *|[`(]|python -m )batonpass ([a-z]+)", TEXTS[name], re.MULTILINE))
    assert named <= VERBS.keys()


def test_every_verb_has_a_module():
    from batonpass.__main__ import VERBS

    missing = [verb for verb, each in VERBS.items() if each.module not in MODULES]
    assert not missing


@pytest.mark.parametrize("name", TEXTS)
def test_no_page_names_a_path_on_somebodys_machine_or_an_unknown_host(name):
    assert not PRIVATE.findall(TEXTS[name])
    hosts = set(re.findall(r"https?://([^/\s)\"'`>]+)", TEXTS[name]))
    assert {h for h in hosts if not h.startswith(("localhost", "127.0.0.1"))} <= HOSTS


def test_the_readme_is_short():
    assert TEXTS["README.md"].count("\n") < 200


def test_the_index_names_every_page():
    pages = {path.name for path in (CHECKOUT / "docs").glob("*.md")} - {"README.md"}
    linked = {m["target"].split("#")[0] for m in LINK.finditer(TEXTS["docs/README.md"]) if m["target"]}
    assert pages <= linked


@pytest.mark.parametrize("record", model.__all__)
def test_the_page_on_the_format_names_every_field(record):
    kind = getattr(model, record)
    if dataclasses.is_dataclass(kind):
        missing = [field.name for field in dataclasses.fields(kind) if f"`{field.name}`" not in TEXTS["docs/FORMAT.md"]]
    else:
        missing = [str(word) for word in kind if f'"{word}"' not in TEXTS["docs/FORMAT.md"]]
    assert not missing


def test_the_page_on_the_format_names_every_tag_of_the_typed_json():
    words = {value for name, value in vars(tags).items() if name.isupper() and isinstance(value, str)}
    assert not [word for word in words if word not in TEXTS["docs/FORMAT.md"]]


def test_the_page_on_stores_names_every_property():
    from batonpass.core.storage import Properties

    fields = {field.name for field in dataclasses.fields(Properties)}
    assert not [name for name in fields if f"`{name}`" not in TEXTS["docs/ADDING_A_STORE.md"]]


CORE = [name for name in MODULES if name.startswith("batonpass.core")]


def test_the_examples_in_cores_docstrings_are_true():
    results = [doctest.testmod(importlib.import_module(name)) for name in CORE]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) > 5


def test_every_file_that_a_docstring_sends_the_reader_to_exists():
    files = [path for folder in ("core", "sync", "src", "streamlit_app") for path in (CHECKOUT / folder).rglob("*.py")]
    mention = re.compile(r"\b(?:docs|bench|tests)/[\w/]+\.(?:md|py)\b")
    found = {(path.name, name) for path in files for name in mention.findall(path.read_text(encoding="utf-8"))}
    assert not [each for each in found if not (CHECKOUT / each[1]).is_file()]
