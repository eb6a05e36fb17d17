"""The records of Batonpass: what stands in the files of a run, as frozen dataclasses. `core.codec` turns them into JSON and back."""

from batonpass.core.model.account import Account, Note, UnitRate
from batonpass.core.model.checkpoint import CheckpointListing, FileEntry, Manifest, Packed, TensorEntry
from batonpass.core.model.machine import Gpu, GpuSample, Host
from batonpass.core.model.receipt import Method, Receipt, ReceiptEntry
from batonpass.core.model.run import Annotations, Deletion, Deletions, Head, Root, RunInfo
from batonpass.core.model.session import End, EndKind, MetricTail, ResumeProof, ResumeRecord, Segment, Session

__all__ = [
    "Account",
    "Annotations",
    "CheckpointListing",
    "Deletion",
    "Deletions",
    "End",
    "EndKind",
    "FileEntry",
    "Gpu",
    "GpuSample",
    "Head",
    "Host",
    "Manifest",
    "Method",
    "MetricTail",
    "Note",
    "Packed",
    "Receipt",
    "ReceiptEntry",
    "ResumeProof",
    "ResumeRecord",
    "Root",
    "RunInfo",
    "Segment",
    "Session",
    "TensorEntry",
    "UnitRate",
]
