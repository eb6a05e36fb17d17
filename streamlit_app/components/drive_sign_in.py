"""How this computer signs in to Google Drive, as steps: the command to copy, and how to come by the file that it asks for."""

from __future__ import annotations

import shlex

import streamlit as st

from batonpass.core.settings import Settings, read_settings
from batonpass.streamlit_app.access import is_read_only

_CLIENT = """
Once, about ten minutes, free. At [console.cloud.google.com](https://console.cloud.google.com), signed in as the account whose Drive will keep the runs:

1. A new project, any name; choose it at the top.
2. *APIs & Services > Library*: **Google Drive API**, *Enable*.
3. *OAuth consent screen*: a name, your e-mail, audience **External**; under *Data access* the scope `.../auth/drive.file`.
4. *Audience > Publish app*. While its status is *Testing*, every sign-in dies after 7 days.
5. *Clients > Create client*, type **Desktop app**, *Download JSON* at once. That file is client_secret.json.
"""


def login_command(settings: Settings) -> str:
    """What to type: the token goes where this app looks for it.

    >>> from pathlib import Path
    >>> login_command(Settings(home=Path("home"), drive_token="my token.json"))
    "batonpass login --client-secrets client_secret.json --to 'my token.json'"
    """
    token = (settings.drive_token or "").strip()
    to = f" --to {shlex.quote(token)}" if token and not _is_json(token) else ""
    return f"batonpass login --client-secrets client_secret.json{to}"


def show_sign_in_steps() -> None:
    """The way to a sign-in that works. Nothing of a credential is shown."""
    if is_read_only():
        st.markdown("**What to do:** ask the person who runs this app to sign in to Google Drive again.")
        return
    settings = read_settings()
    st.markdown(
        "**What to do:** type this in a terminal on this computer. A browser opens: choose the account whose Drive keeps the runs, "
        "**leave the box for Google Drive ticked**, and continue."
    )
    st.code(login_command(settings), language="bash", wrap_lines=True)
    if _is_json(settings.drive_token or ""):
        st.markdown(
            "This app was started with the credential itself in `BATONPASS_DRIVE_TOKEN`. Unset that variable and start the app again: "
            "the new one is then found by itself."
        )
    else:
        st.caption(
            "client_secret.json stands for the file of your own OAuth client, with its path. This page goes on by itself within a minute "
            "of the sign-in; the app need not be started again."
        )
    with st.expander("I have no client_secret.json yet", icon=":material/help:"):
        st.markdown(_CLIENT)


def _is_json(token: str) -> bool:
    return token.strip().startswith("{")
