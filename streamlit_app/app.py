"""The frame of the app: six pages and what stands round each of them. Started by `batonpass app` or `streamlit run streamlit_app/app.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

BATON = Path(__file__).parent / "assets" / "baton.svg"
# An icon by name would be asked of Google's servers by the browser; nothing of this app comes from anywhere else.
# With an entry of ours Streamlit shows its menu, which has light and dark in it; without one it hides it.
ABOUT = "Batonpass lets a training run outlive the notebooks it runs on."
st.set_page_config(page_title="Batonpass", page_icon=BATON, layout="wide", menu_items={"About": ABOUT})

try:
    from batonpass.streamlit_app.components.door import pass_door
    from batonpass.streamlit_app.components.frame import show_frame
except ModuleNotFoundError as error:
    st.title("Batonpass is not installed here")
    st.markdown("The app needs the package. In the folder of your clone, type this once, then start the app again:")
    st.code('python -m pip install -e ".[app]"', language="bash")
    st.caption(f"What was looked for and not found: `{error.name}`")
    st.stop()

PAGES = (
    ("morning", "Morning", ":material/wb_twilight:", "What happened while you were away: every run at a glance."),
    ("run", "Run", ":material/show_chart:", "One run as one story: curves, sessions, checkpoints, notes."),
    ("machines", "Machines", ":material/memory:", "The GPUs that you were given, and how fast each of them was."),
    ("accounts", "Accounts", ":material/badge:", "Hours, session lengths and notes for each place you work at."),
    ("resume", "Resume", ":material/play_circle:", "The cell that continues a run on another machine."),
    ("settings", "Settings", ":material/settings:", "The store, sign-in, space, and the pet."),
)

st.logo(BATON, size="large")
page = st.navigation(
    [st.Page(f"views/{name}.py", title=title, icon=icon, help=text) for name, title, icon, text in PAGES],
    position="top",
)
pass_door()
show_frame()
try:
    page.run()
except Exception:  # whatever it is: first in our own words, then as Streamlit shows it
    st.error(
        "This page could not be shown. Your runs and whatever trains are not touched by that. The details stand in the terminal in which "
        "the app was started; the other pages may work.",
        icon=":material/healing:",
    )
    raise
