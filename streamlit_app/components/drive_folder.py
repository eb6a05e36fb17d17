"""Where a store lies on a mounted Drive, as a notebook sees it."""

from __future__ import annotations

import streamlit as st

from batonpass.streamlit_app.components.page import Page

DEFAULT = "MyDrive/batonpass"


def guess_drive_folder(url: str) -> str:
    """Read off a path that Drive for desktop keeps in step; a plain guess for any other.

    >>> guess_drive_folder("/disk/Google Drive/My Drive/lab/batonpass")
    'MyDrive/lab/batonpass'
    >>> guess_drive_folder("gdrive://batonpass")
    'MyDrive/batonpass'
    """
    parts = url.replace("\\", "/").split("/")
    at = next((i for i, part in enumerate(parts) if part in ("My Drive", "MyDrive")), None)
    return "/".join(["MyDrive", *parts[at + 1 :]]) if at is not None else DEFAULT


def drive_folder(page: Page) -> str:
    """Asks, with the guess filled in."""
    guess = guess_drive_folder(page.repository.url)
    typed = st.text_input("The store's folder on the mounted Drive", value=guess, key="drive-folder")
    return (typed or "").strip() or guess
