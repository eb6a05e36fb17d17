"""A run's alerts on its card: an icon, what is the matter, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from batonpass.streamlit_app.alerts import Alert, AlertKind
from batonpass.streamlit_app.components.text import escaped

_ICONS = {
    AlertKind.SILENT: ":material/signal_disconnected:",
    AlertKind.FAILED: ":material/error:",
    AlertKind.NO_PROGRESS: ":material/motion_photos_paused:",
    AlertKind.NOT_A_NUMBER: ":material/functions:",
    AlertKind.FULL: ":material/inventory_2:",
    AlertKind.NOT_SENT: ":material/cloud_off:",
    AlertKind.NEARLY_FULL: ":material/data_usage:",
    AlertKind.TWO_HOLDERS: ":material/call_split:",
    AlertKind.CONFLICT: ":material/file_copy:",
    AlertKind.AT_RISK: ":material/hourglass_bottom:",
}


def show_alerts(found: Sequence[Alert]) -> None:
    """One line each, the most pressing first; nothing where nothing is the matter."""
    if found:
        st.warning("  \n".join(_words(a) for a in found), icon=None)


def _words(alert: Alert) -> str:
    kind = alert.kind.value
    says = escaped(alert.says, limit=240).rstrip(".")
    return f"{_ICONS[alert.kind]} **{kind[0].upper()}{kind[1:]}.** {says}. {escaped(alert.todo, limit=260)}"
