"""Light or dark: a choice that is remembered on this computer. Streamlit takes its colours when it starts, so it counts from the next start on;
its own menu changes them at once, for one browser.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.preferences import SYSTEM, THEMES, load_preferences, save_preferences

_COLOURS = ("backgroundColor", "textColor")


def started_with() -> str:
    """The theme that this process was started with: where it is a forced one, both palettes are the same."""
    light, dark = ([st.get_option(f"theme.{palette}.{name}") for name in _COLOURS] for palette in ("light", "dark"))
    if light != dark:
        return SYSTEM
    return "dark" if st.get_option("theme.dark.backgroundColor") == DARK_BACKGROUND else "light"


DARK_BACKGROUND = "#161a1b"
"""As in .streamlit/config.toml."""


def show_appearance() -> None:
    """The choice, and from when on it counts."""
    st.subheader("Light or dark", anchor=False)
    preferences = load_preferences()
    chosen = st.segmented_control(
        "Colours of the app",
        THEMES,
        default=preferences.theme if preferences.theme in THEMES else SYSTEM,
        required=True,
        disabled=is_read_only(),
        key="theme",
        format_func=str.capitalize,
    )
    if chosen and chosen != preferences.theme and not is_read_only():
        try:
            save_preferences(replace(preferences, theme=chosen))
        except OSError as error:
            st.error(f"Could not be remembered: {escaped(error)}")
    now = started_with()
    if (chosen or SYSTEM) != now:
        st.caption(
            ":material/restart_alt: Remembered. It counts from the next start with `batonpass app` on; `streamlit run` does not know of it."
        )
    if now == SYSTEM:
        st.caption("At once, in this browser alone: the menu :material/more_vert: at the top right.")
