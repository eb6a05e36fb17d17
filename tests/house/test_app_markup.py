"""The app's own source: no HTML, no CSS, no foreign component, and words beside everything that is only seen."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from house.checkout import CHECKOUT

FOREIGN_CALLS = {"html", "iframe", "declare_component", "component", "unsafe_html"}
SEEN_ONLY = {
    *("echarts_chart", "dataframe", "image", "line_chart", "area_chart", "bar_chart", "scatter_chart", "altair_chart"),
    *("vega_lite_chart", "plotly_chart", "pyplot", "graphviz_chart", "map", "pydeck_chart"),
}
"""Calls whose picture needs `alt=`."""
FOREIGN_TEXT = ("unsafe_allow_html", "<style", "<script", "</", "components.v1", "allow_html", "customCSS")


def complaints(source: str) -> Iterator[str]:
    """What is wrong with a module of the app, a line each."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not _is_svg(node.value):
            yield from (f"{node.lineno}: {text} in a text" for text in FOREIGN_TEXT if text in node.value)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "streamlit.components" in ast.unparse(node):
            yield f"{node.lineno}: a foreign component"
        if not isinstance(node, ast.Call):
            continue
        keywords = {keyword.arg for keyword in node.keywords}
        if "unsafe_allow_html" in keywords:
            yield f"{node.lineno}: unsafe_allow_html"
        if _name(node) in FOREIGN_CALLS and _is_streamlit(node):
            yield f"{node.lineno}: st.{_name(node)}"
        if _name(node) in SEEN_ONLY and _is_streamlit(node) and "alt" not in keywords and None not in keywords:
            yield f"{node.lineno}: st.{_name(node)} without alt="


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _is_streamlit(call: ast.Call) -> bool:
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in ("st", "streamlit", "components")


def _is_svg(text: str) -> bool:
    """A drawing of our own (the pet) is shown as an image, never as a part of the page."""
    return text.lstrip().startswith(("<svg", "<g", "<path", "<ellipse", "<circle", "<rect", "</svg", "</g"))


def test_no_module_of_the_app_writes_html_or_a_picture_without_words() -> None:
    found = {
        f"{path.relative_to(CHECKOUT)}:{complaint}"
        for path in (CHECKOUT / "streamlit_app").rglob("*.py")
        if "pet" not in path.stem
        for complaint in complaints(path.read_text(encoding="utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        'st.markdown("x", unsafe_allow_html=True)',
        'st.html("x")',
        'st.iframe("http://x")',
        'import streamlit.components.v1 as components\ncomponents.html("x")',
        'st.caption("<style>a {}</style>")',
        "st.dataframe(rows)",
        "st.echarts_chart(option, height=3)",
    ],
)
def test_each_of_these_would_be_noticed(source: str) -> None:
    assert list(complaints(source))


def test_a_plain_page_is_let_through() -> None:
    assert not list(complaints('st.dataframe(rows, alt="rows")\nst.markdown("a < b")\ntable.to_html("x")'))


def test_no_string_stands_alone_in_a_page_that_streamlit_runs_as_a_script():
    """Streamlit writes it on the page: a constant's docstring would be a sentence there."""
    scripts = [CHECKOUT / "streamlit_app" / "app.py", *(CHECKOUT / "streamlit_app" / "views").glob("*.py")]
    alone = [
        f"{path.name}:{node.lineno}"
        for path in scripts
        for node in ast.parse(path.read_text()).body[1:]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    assert len(scripts) > 6
    assert alone == []
