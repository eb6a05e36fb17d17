"""Accounts: what each place you work at has given you, and what you know about it. It counts; it never says where to go next."""

from __future__ import annotations

from functools import partial

import streamlit as st

from batonpass.core.model import Session
from batonpass.core.providers import provider_of
from batonpass.core.usage import AccountUse, account_use, shared_providers
from batonpass.core.useful import useful_shares
from batonpass.streamlit_app.components.account_facts import edit_account
from batonpass.streamlit_app.components.lengths import show_lengths, show_stays
from batonpass.streamlit_app.components.notes import edit_notes
from batonpass.streamlit_app.components.page import Page, open_page, say_broken
from batonpass.streamlit_app.components.provider_rules import show_rule
from batonpass.streamlit_app.components.rests import show_rests
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.components.units import show_units
from batonpass.streamlit_app.components.usage_numbers import show_gpus, show_numbers, show_price
from batonpass.streamlit_app.wording import local


def show() -> None:
    """The page."""
    page = open_page("Accounts")
    if page is None:
        return
    st.caption(
        "An account is a place you work at, under a label of your own. No password, no e-mail, no token is kept here."
    )
    sessions = [s.session for r in page.overview.runs for s in r.files.sessions]
    _calm_line(page, sessions)
    use = account_use(sessions, page.as_of)
    labels = sorted({*use, *(a.account.label for a in page.overview.accounts)})
    if not labels:
        st.markdown('None yet. `bp.start(..., account="personal")` names the place a session runs at.')
        return
    label = st.pills(
        "Account",
        labels,
        default=_latest(labels, sessions),
        format_func=lambda a: escaped(a, limit=40) or "no label",
        required=True,
        key=f"account-{hash(tuple(labels))}",
    )
    chosen = label if label is not None else labels[0]
    _account(page, chosen, use, sessions)
    say_broken([*page.overview.broken, *(b for r in page.overview.runs for b in r.files.broken)])


def _latest(labels: list[str], sessions: list[Session]) -> str:
    """The account last worked at: what one most likely wants to read about first."""
    latest = max(sessions, key=lambda s: s.started_at, default=None)
    return latest.account if latest is not None and latest.account in labels else labels[0]


def _calm_line(page: Page, sessions: list[Session]) -> None:
    """One line where one run used two accounts of one provider within a day, with the fair ways on."""
    names = {r.files.info.run_id: r.name for r in page.overview.runs}
    for shared in shared_providers(sessions)[:3]:
        provider = provider_of(shared.provider).name
        accounts = " and ".join(escaped(a, limit=40) for a in shared.accounts)
        st.info(
            f"{escaped(names.get(shared.run_id, ''), limit=60)} used {accounts} on {escaped(provider)} within 24 hours "
            f"({local(shared.at, page.zone)}). Accounts are for places you hold for different reasons; providers do not allow "
            "several accounts to get past their limits. If you ran out, another provider, a paid hour or your own computer "
            "are the fair ways on.",
            icon=":material/balance:",
        )


def _account(page: Page, label: str, every: dict[str, AccountUse], sessions: list[Session]) -> None:
    story, use = page.overview.account(label), every.get(label)
    own = [s for s in sessions if s.account == label]
    shares = useful_shares(sessions)
    if use is not None:
        show_numbers(page, use, own, shares)
    for provider in sorted({s.host.provider for s in own}):
        show_rule(provider)
    left, right = st.columns([3, 2], gap="large")
    with left:
        if use is not None:
            show_lengths(label, {name: found.stays for name, found in every.items()})
            show_rests(use.stays)
            show_stays(page, use.stays)
        else:
            st.caption("No session has named this account yet. Curves and hours stand here once one has.")
    with right:
        if use is not None:
            show_gpus(use)
        edit_account(page, story.account)
        show_price(page, story.account, own, shares)
        show_units(page, story.account, use.stays if use is not None else ())
        st.subheader("Notes", anchor=False)
        edit_notes(page, story.notes, partial(page.repository.add_account_note, label), key=f"account-{label}")


if __name__ == "__main__":
    show()
