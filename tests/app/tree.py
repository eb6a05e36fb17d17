"""What must hold of the element tree of any page: no traceback, no HTML, words for every picture, and no foreign text read as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

FOREIGN = {"html", "iframe", "component_instance", "bidi_component"}
"""Elements that could carry a script, a style or a page of somebody else."""
PICTURES = {"echarts_chart", "dataframe", "vega_lite_chart", "plotly_chart", "deck_gl_json_chart", "graphviz_chart"}
ACTIVE = re.compile(
    r"(?<!\\)<(?:img|script|b>)|(?<!\\)\[link\]|http://evil|:red\[|(?<!\\)\$x|www\\?\.evil|(?<!\\)\*\*bold|(?<!\\)`c"
)
"""What of the hostile names would do something if it were not disarmed."""
PLAIN = {
    ("code", "code_text"),
    ("echarts_chart", "spec"),
    ("selectbox", "options"),
    ("multiselect", "options"),
    ("selectbox", "raw_value"),
}
"""Fields that the browser shows as they are: no Markdown is read in them."""
PLAIN_FIELDS = {"alt", "default", "value", "placeholder", "id", "form_id", "url", "accept_new_options", "columns"}
BINARY = {"arrow_data", "datasets"}


def elements(at: AppTest) -> Iterator[tuple[str, Message]]:
    """Every block and element of the page with its protobuf, the event container and the sidebar included."""
    for root in (at._tree.main, at._tree.sidebar, *([at._tree.event] if hasattr(at._tree, "event") else [])):
        for element in root:
            proto = getattr(element, "proto", None)
            if isinstance(proto, Message):
                yield element.type, proto


def check_tree(at: AppTest) -> None:
    """All of it, with the offending element in the message."""
    assert not at.exception, at.exception
    assert at.title, "a page without a title"
    assert len(list(elements(at))) > 3, "a page without anything on it"
    check_elements(at)


def check_elements(at: AppTest) -> None:
    """Every element that there is."""
    for kind, proto in elements(at):
        _check_element(kind, proto)


def _check_element(kind: str, proto: Message) -> None:
    """One element: nothing foreign, words for what is only seen, and nothing that Markdown would act on."""
    assert kind not in FOREIGN, f"{kind}: {str(proto)[:200]}"
    assert not getattr(proto, "allow_html", False), f"unsafe_allow_html: {str(proto)[:200]}"
    if kind in PICTURES:
        assert proto.alt.strip(), f"a {kind} without words for it: {str(proto)[:200]}"  # type: ignore[attr-defined]
    for picture in getattr(proto, "imgs", ()) if kind in ("imgs", "image") else ():
        assert picture.alt.strip(), "an image without words for it"
    for field, text in strings(proto):
        if (kind, field) not in PLAIN and field not in PLAIN_FIELDS:
            assert not ACTIVE.search(text), f"{kind}.{field}: {text[:300]}"


def strings(message: Message) -> Iterator[tuple[str, str]]:
    """Every text in a message with the name of its field, nested ones included; tables and data are left out."""
    for field, value in message.ListFields():
        if field.name in BINARY:
            continue
        for item in _each(value):
            if isinstance(item, str):
                yield field.name, item
            elif isinstance(item, Message):
                yield from strings(item)


def _each(value: Any) -> Iterator[Any]:
    if isinstance(value, (str, bytes, Message)) or not hasattr(value, "__iter__"):
        yield value
    elif hasattr(value, "items"):
        for key, item in value.items():
            yield key
            yield item
    else:
        yield from value
