"""Which sign-in for Google Drive this computer has, and whether it works, as far as anybody has asked. Never the credential itself."""

from __future__ import annotations

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.core.settings import read_settings
from batonpass.core.trouble import Kind
from batonpass.streamlit_app.choice import current_choice, repository_of
from batonpass.streamlit_app.components.drive_sign_in import show_sign_in_steps
from batonpass.streamlit_app.components.text import escaped
from batonpass.sync.sign_in import find_credential


def show_credential() -> None:
    """A sentence, and the way to a sign-in where the page's head has not said it already."""
    st.subheader("Drive sign-in", anchor=False)
    choice = current_choice()
    is_drive = not choice.simulated and (choice.url or "").startswith("gdrive://")
    try:
        kind = find_credential(read_settings()).kind
    except BatonpassError as error:
        _say_none(error, is_drive=is_drive)
        return
    repository = repository_of(choice) if is_drive else None
    view = repository.view() if repository else None
    if view is not None and view.problem is not None and view.problem.kind is Kind.NEEDS_LOGIN:
        st.markdown(
            f":material/key_off: A credential is set ({escaped(kind)}), and it does not work: "
            f"{escaped(view.problem.message, limit=200)}. What to do stands above."
        )
    elif view is not None and view.problem is None and view.overview is not None:
        st.markdown(
            f":material/key: A credential is set ({escaped(kind)}), and Google Drive accepts it. It is never shown."
        )
    else:
        st.markdown(
            f":material/key: A credential is set ({escaped(kind)}). It is only used for gdrive stores, and never shown."
        )
    _offer_doctor()


def _say_none(error: BatonpassError, *, is_drive: bool) -> None:
    if read_settings().drive_token:
        st.markdown(f":material/key_off: The credential cannot be used: {escaped(error.message, limit=200)}")
    elif is_drive:
        st.markdown(":material/key_off: No Drive credential on this computer. What to do stands above.")
    else:
        st.markdown(
            ":material/key_off: No Drive credential on this computer. **None is needed** for a folder, also not for "
            "one that Drive for desktop keeps in step."
        )
        with st.expander("Sign in, for a gdrive store", icon=":material/login:"):
            show_sign_in_steps()
    _offer_doctor()


def _offer_doctor() -> None:
    st.caption("In a terminal, this asks Google what the sign-in really allows:")
    url = current_choice().url or ""
    store = url if url.startswith("gdrive://") and not current_choice().simulated else "gdrive://batonpass"
    st.code(f"batonpass doctor --store {store}", language="bash", wrap_lines=True)
