"""What tells data that is not what it was, in words for the person who has to mend it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from batonpass.core.training.fingerprint import LISTS, Difference

_VALUES = (
    "the dataset holds other values than before (other files, another download, or random preprocessing when it was built?): "
    "build it from the same files, and seed what draws while it is built"
)
_FILES = (
    "the dataset lists other files than before, or the same in another order (os.listdir and glob keep none): "
    "sort them where the dataset is built, as sorted(folder.glob(...))"
)
_WORDS = {
    "indices": "the dataset is split differently than before (random_split without a seed?): "
    "give it generator=torch.Generator().manual_seed(0), or keep the indices in a file",
    "rows": _VALUES,
    "data": _VALUES,
    "targets": _VALUES,
    **dict.fromkeys(LISTS, _FILES),
}
_ORDER = ("type", "length", "indices", "rows", "data", "targets", *LISTS, "sampler")
"""The first of these that differ explain the others."""


def describe_differences(differences: Sequence[Difference]) -> list[str]:
    """One clause for each kind of difference, at most three. A dataset of another type differs in everything: then only that is said."""
    kinds = {d.key: d for d in sorted(differences, key=_rank, reverse=True)}
    if "type" in kinds:
        kinds = {"type": kinds["type"]}
    elif "length" in kinds:
        kinds = {k: d for k, d in kinds.items() if k in {"length", "sampler"}}
    found = [_describe(d) for d in sorted(kinds.values(), key=_rank)]
    return list(dict.fromkeys(found))[:3]


def _rank(difference: Difference) -> tuple[int, int]:
    """By kind, and the outermost first."""
    known = _ORDER.index(difference.key) if difference.key in _ORDER else len(_ORDER)
    return known, len(difference.path)


def _describe(difference: Difference) -> str:
    then, now = difference.then, difference.now
    if difference.key == "type":
        return f"the loader reads from {_named(now)} now and read from {_named(then)} before: build it as in the first session"
    if difference.key == "length":
        return f"the dataset has {_count(now)} now and had {_count(then)} before: files were added or removed, or another split was taken"
    if difference.key == "sampler":
        return f"the batches are drawn by {_listed(now)} now and were drawn by {_listed(then)} before: build the loader as in the first session"
    return _WORDS.get(difference.key, f"its {difference.key or 'description'} is another one than before")


def _named(kind: object) -> str:
    return f"a {kind}" if isinstance(kind, str) else "something else"


def _count(length: object) -> str:
    return f"{length:,} samples" if isinstance(length, int) else "an unknown number of samples"


def _listed(names: object) -> str:
    return " over ".join(map(str, names)) if isinstance(names, list) else str(names)
