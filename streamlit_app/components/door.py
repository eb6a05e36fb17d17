"""The door of a hosted app: signs in, lets in who is on the list, and shows nothing to anybody else. On one's own computer it is open."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from batonpass.streamlit_app.access import ALLOWED_EMAILS, Entry, read_access
from batonpass.streamlit_app.components.text import escaped

_log = logging.getLogger(__name__)
_WRONG = {
    Entry.NO_LIST: f"A sign-in is set up, but no list of who may come in: `allowed_emails` under `[batonpass]` in the secrets, or `{ALLOWED_EMAILS}`.",
    Entry.NO_SIGN_IN: "There is a list of who may come in, but no sign-in is set up: the section `[auth]` is missing in the secrets.",
}


def pass_door() -> None:
    """Goes on for who may look; anybody else is told what to do, and the script ends there: no store is opened for them."""
    secrets = _secrets()
    if secrets is None:
        _close(
            "The secrets file cannot be read. What is wrong with it stands in the terminal in which the app was started."
        )
    access = read_access(secrets)
    user = st.user.to_dict()
    entry = access.entry(user)
    if entry is Entry.OPEN:
        if user.get("is_logged_in") is True:
            _show_who(user)
        return
    if entry in _WRONG:
        _close(_WRONG[entry])
    if entry is Entry.UNFINISHED:
        _close(f"In the section `[auth]` of the secrets: {'; '.join(access.faults)}.")
    st.title("Batonpass", anchor=False)
    if entry is Entry.SIGN_IN:
        st.markdown("This app is for the people on its list. Sign in to look at the runs.")
        st.button("Sign in", on_click=st.login, type="primary", icon=":material/login:")
    else:
        st.warning(
            f"You are signed in as **{escaped(user.get('email') or 'somebody without an address', limit=100)}**, "
            "and this address is not on the list. Ask the person who runs this app.",
            icon=":material/lock:",
        )
        st.button("Sign out", on_click=st.logout, icon=":material/logout:")
    st.stop()


def _close(why: str) -> NoReturn:
    """For everybody, whoever it is: a door that lacks a part lets nobody in."""
    st.title("Batonpass", anchor=False)
    st.error(f"This app is closed because its set-up is not finished. {why}", icon=":material/lock:")
    st.stop()


def _show_who(user: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", key="who"):
        st.caption(f"Signed in as {escaped(user.get('email', ''), limit=100)}", width="content")
        st.button("Sign out", on_click=st.logout, type="tertiary", icon=":material/logout:")


def _secrets() -> Mapping[str, Any] | None:
    """Streamlit's secrets; empty where there is no file of them, None where there is one that cannot be read: a slip of the pen
    in it must not open the door.
    """
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        if not any(Path(file).exists() for file in st.get_option("secrets.files")):
            return {}
        _log.error("%s", error)  # where the slip is; the calls that led here help nobody
    except (OSError, ValueError) as error:
        _log.error("the secrets file cannot be read: %s", error)  # as above
    return None
