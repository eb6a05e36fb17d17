"""Two cards against each other: what this run measured, beside what the makers' figures would predict."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import streamlit as st

from batonpass.core.gpu.catalogue import CatalogueEntry, catalogue
from batonpass.core.gpu.prediction import predict
from batonpass.core.gpu.speed import Speed, ratio
from batonpass.streamlit_app.components.gpus import short_name
from batonpass.streamlit_app.components.speed_table import ratio_words
from batonpass.streamlit_app.components.text import escaped
from batonpass.streamlit_app.overview import RunStory
from batonpass.streamlit_app.wording import plural

_USUAL = "T4"
_FIRST_PAIR = ("V100 16GB", _USUAL)
_STORY = {"V100", "T4"}


def show_ratio(run: RunStory, found: Sequence[Speed]) -> None:
    """`found` is what the run measured, slowest first. Any two cards can be compared; those measured stand first."""
    st.subheader("Two cards compared", anchor=False)
    had = {short_name(gpu.name, gpu.memory_bytes) for s in run.files.sessions for gpu in s.session.gpus[:16]}
    if not had:
        st.caption("No session of this run had a GPU, so there are no cards to compare.")
        return
    entries = {e.name: e for e in catalogue() if e.is_cuda}
    names = [*(s.gpu for s in reversed(found)), *(n for n in entries if all(s.gpu != n for s in found))]
    first, second = first_pair([s.gpu for s in found], entries)
    left, right = st.columns(2)
    key = hash(tuple(names))
    card = left.selectbox("This card", names, index=names.index(first), key=f"card-{key}")
    against = right.selectbox("Against", names, index=names.index(second), key=f"against-{key}")
    measured = {s.gpu: s for s in found}
    rows = ratio_rows(measured.get(card), measured.get(against), entries.get(card), entries.get(against))
    st.dataframe(rows, hide_index=True, alt=f"{card} against {against}: measured and as the makers' figures predict")
    for sentence in ratio_sentences(measured.get(card), measured.get(against), entries.get(card), entries.get(against)):
        st.markdown(escaped(sentence, limit=400))
    if is_told_story(card, against, had):
        st.caption(
            "It is often told that a V100 is ten times a T4. Published training and inference figures of one recipe say about "
            "three times (ResNet-50, NVIDIA's own examples: 2.8 with mixed precision, 3.0 in fp32). More is possible where memory, "
            "the processor or heat held the T4 back, and then your own figures show it."
        )


def is_told_story(card: str, against: str, had: Iterable[str]) -> bool:
    """Whether the two are those of which a story is told, and the run had one of them."""
    return {_family(card), _family(against)} == _STORY and any(_family(name) in _STORY for name in had)


def first_pair(measured: Sequence[str], known: Container[str]) -> tuple[str, str]:
    """What stands there first: the fastest card against the slowest, of those that the makers' figures are known for where two are;
    a single known one against a T4, the usual card of free notebooks.
    """
    for names in ([name for name in measured if name in known], list(measured)):
        if len(names) > 1:
            return names[-1], names[0]
    single = next((name for name in measured if name in known and name != _USUAL), None)
    return (single, _USUAL) if single and _USUAL in known else _FIRST_PAIR


def ratio_rows(
    fast: Speed | None, slow: Speed | None, card: CatalogueEntry | None, against: CatalogueEntry | None
) -> list[dict[str, str]]:
    """Measured first, then each published figure; what is not known is said."""
    n = f"{plural(fast.n, 'session')} against {slow.n:,}" if fast and slow else ""
    rows = [
        {
            "By": "measured in this run",
            "Times as fast": ratio_words(fast, slow) if fast and slow else "not measured",
            "From": n,
        }
    ]
    if card is None or against is None:
        return [*rows, {"By": "makers' figures", "Times as fast": "not in the catalogue", "From": ""}]
    p = predict(card, against)
    for word, value, unit, pair in (
        ("peak fp32", p.fp32, "TFLOP/s", (card.fp32_tflops, against.fp32_tflops)),
        ("peak half precision", p.half, "TFLOP/s", (_half(card), _half(against))),
        ("memory bandwidth", p.bandwidth, "GB/s", (card.bandwidth_gbs, against.bandwidth_gbs)),
    ):
        source = f"{pair[0]:g} against {pair[1]:g} {unit}" if value is not None else ""
        rows.append(
            {"By": word, "Times as fast": f"{value:.2f} x" if value is not None else "no figure known", "From": source}
        )
    return rows


def ratio_sentences(
    fast: Speed | None, slow: Speed | None, card: CatalogueEntry | None, against: CatalogueEntry | None
) -> list[str]:
    """What the comparison may mean. Plain text."""
    said = []
    if fast and slow and fast is not slow and card and against:
        value = ratio(fast, slow).value
        named = predict(card, against).named()
        nearest = predict(card, against).nearest(value)
        if nearest:
            said.append(
                f"Measured: {card.name} did {value:.2f} times the steps of {against.name}. The figure nearest to that is {nearest} "
                f"({named[nearest]:.2f} times)."
            )
        if named and value < 0.6 * min(named.values()):
            said.append(
                "That is well below every prediction: data loading or the processor may set the pace, not the card."
            )
        if min(fast.n, slow.n) < 3:
            said.append("Few sessions on at least one of the two: the next one may move this figure a good deal.")
    pair = [e for e in (card, against) if e is not None]
    if len(pair) == 2 and pair[0].has_tensor_cores != pair[1].has_tensor_cores:
        without = pair[0] if not pair[0].has_tensor_cores else pair[1]
        said.append(
            f"{without.name} has no tensor cores: mixed precision runs at its fp32 rate, so the order can flip with precision."
        )
    return said


def _family(name: str) -> str:
    """As "V100" of "V100 16GB"."""
    return (name.split() or [""])[0]


def _half(entry: CatalogueEntry) -> float | None:
    return entry.fp16_tensor_tflops if entry.has_tensor_cores else entry.fp32_tflops
