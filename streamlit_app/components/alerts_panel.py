"""Alerts in Settings: where they go, what limit the user wants, and one test message."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from batonpass.core.errors import BatonpassError
from batonpass.streamlit_app.access import is_read_only
from batonpass.streamlit_app.alert_settings import (
    AlertSettings,
    alerts_file,
    load_alert_settings,
    masked,
    save_alert_settings,
)
from batonpass.streamlit_app.alerts import AlertKind
from batonpass.streamlit_app.choice import current_choice
from batonpass.streamlit_app.components.page import Page, say_error
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.herald import news
from batonpass.sync.webhook import check_address, post_text


def show_alerts_settings(page: Page) -> None:
    """The panel. In the simulated sample nothing can be set: nothing invented leaves this computer."""
    st.subheader("Alerts", anchor=False)
    st.markdown(
        f"One of these words on a run's card, as long as it is so: {' · '.join(kind.value for kind in AlertKind)}."
    )
    if current_choice().simulated:
        st.caption("To have them sent to a chat, leave the sample first.")
        return
    if is_read_only():
        st.caption("Their limit and a webhook are set on your own computer: this app only looks.")
        return
    settings = load_alert_settings()
    _limit(settings)
    if settings.webhook:
        _connected(page, settings.webhook)
    else:
        _connect(page)


def _limit(settings: AlertSettings) -> None:
    minutes = st.number_input(
        "Work at risk is an alert from so many minutes on",
        5,
        24 * 60,
        round(settings.risk_s / 60),
        5,
        key="risk-minutes",
    )
    if minutes * 60 != round(settings.risk_s / 60) * 60:
        _keep(replace(load_alert_settings(), risk_s=minutes * 60.0))


def _connect(page: Page) -> None:
    with st.form("webhook", border=False):
        url = st.text_input(
            "Send them to a webhook too",
            type="password",
            placeholder="https://hooks.slack.com/… or https://discord.com/api/webhooks/…",
            help="An incoming webhook of Slack, Discord, Mattermost or anything that takes JSON with a text. The address is kept on this "
            "computer alone, in a file that only you can read.",
            autocomplete="off",
            max_chars=2000,
        )
        if not st.form_submit_button("Keep the address", icon=":material/notifications:"):
            return
    try:
        address = check_address(url)
    except BatonpassError as error:
        say_error(error)
        return
    settings = load_alert_settings()
    standing = tuple(
        n.key for n in news(page.overview, page.repository.condition, mount=page.mount, risk_s=settings.risk_s)
    )
    told = settings.telling(current_choice().url or "", standing)  # what stands on the cards now is no news
    if _keep(replace(settings, webhook=address, told=told)):
        st.rerun()


def _connected(page: Page, url: str) -> None:
    st.markdown(
        f":material/notifications_active: Also sent to **{escaped(masked(url), limit=80)}**, each once, while this app runs."
    )
    with st.container(horizontal=True, gap="small"):
        test = st.button("Send a test", icon=":material/send:", key="webhook-test")
        forget = st.button(
            "Forget the address", icon=":material/notifications_off:", type="tertiary", key="webhook-forget"
        )
    if forget and _keep(replace(load_alert_settings(), webhook=None)):
        st.rerun()
    if test:
        try:
            post_text(url, "Batonpass: a test. Alerts will arrive here.")
        except BatonpassError as error:
            say_error(error)
        else:
            st.success("Sent. It should stand in the chat now.", icon=":material/check:")
    herald = page.repository.herald
    if herald is not None and herald.says:
        st.caption(escaped(herald.says, limit=300))


def _keep(settings: AlertSettings) -> bool:
    try:
        save_alert_settings(settings)
    except OSError as error:
        st.error(f"Could not be kept in {escaped(alerts_file())}: {escaped(error)}")
        return False
    return True
