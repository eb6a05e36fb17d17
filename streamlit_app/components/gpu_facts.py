"""What the makers say of the cards you were given, and what that means for the precision you train in."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from batonpass.core.gpu.catalogue import CatalogueEntry
from batonpass.core.gpu.ranking import Precision, place_among_offers
from batonpass.core.model import Session
from batonpass.core.usage import NO_PROVIDER
from batonpass.streamlit_app.components.gpu_notes import notes_of
from batonpass.streamlit_app.components.gpus import gpu_entry, provider_name
from batonpass.streamlit_app.components.text import escaped

_PRECISIONS: dict[str, Precision] = {"mixed (fp16)": "amp", "bf16": "bf16", "fp32": "fp32"}
MOST_NOTES = 12


def show_facts(sessions: Sequence[Session]) -> None:
    """Notes first, then the catalogue."""
    st.subheader("What to know about these cards", anchor=False)
    if not any(s.gpus for s in sessions):
        st.caption("No session had a GPU, so there is no card to say anything about.")
        return
    chosen = st.segmented_control(
        "I train in", list(_PRECISIONS), default="mixed (fp16)", key="precision", required=True
    )
    precision = _PRECISIONS[chosen or "mixed (fp16)"]
    found = notes_of(sessions, precision)
    for note in found[:MOST_NOTES]:
        show = st.warning if note.grave else st.info
        show(escaped(note.text, limit=500), icon=":material/warning:" if note.grave else ":material/info:")
    if len(found) > MOST_NOTES:
        st.caption(f"{len(found) - MOST_NOTES:,} further notes of the same kind are left out.")
    if not found:
        st.caption("Nothing known speaks against training in this precision on the cards seen so far.")
    rows = catalogue_rows(sessions, precision)
    if not rows:
        st.caption("None of your GPUs is in the catalogue.")
        return
    st.dataframe(rows, hide_index=True, alt=f"Catalogue facts of {', '.join(row['GPU'] for row in rows)}")
    st.caption(
        "Peaks without sparsity, as published; real work reaches a part of them, and what you measured above is what counts. "
        "The place is by peak for the precision chosen, among what that provider is known to hand out."
    )


def catalogue_rows(sessions: Sequence[Session], precision: Precision) -> list[dict[str, str]]:
    """A row per card that the catalogue knows, oldest card first."""
    seen: dict[CatalogueEntry, dict[str, str]] = {}
    for s in sessions:
        entry = gpu_entry(s)
        if entry is not None:
            seen.setdefault(entry, {})[s.host.provider] = provider_name(s)
    return [
        {
            "GPU": e.name,
            "Year": str(e.year),
            "Memory, GiB": f"{e.memory_gib:g}",
            "Bandwidth, GB/s": _figure(e.bandwidth_gbs),
            "fp32, TFLOP/s": _figure(e.fp32_tflops),
            "half, TFLOP/s": _figure(e.fp16_tensor_tflops) if e.has_tensor_cores else "no tensor cores",
            "bf16": "native" if e.native_bf16 else "emulated, slow",
            "Compute capability": e.compute_capability or "",
            "Place": ", ".join(_place(e, provider, name, precision) for provider, name in sorted(seen[e].items())),
        }
        for e in sorted(seen, key=lambda e: (e.year, e.name))
    ]


def _place(entry: CatalogueEntry, provider: str, name: str, precision: Precision) -> str:
    if provider == NO_PROVIDER:
        return name
    found = place_among_offers(entry, provider, precision)
    return f"{found.place} of {found.of} at {name}" if found.place is not None else f"no place at {name}"


def _figure(value: float | None) -> str:
    return "none known" if value is None else f"{value:g}"
