"""Which machine and which process this is, what it has, and which versions matter: the facts a session writes down about its host.

No raw host name, serial number or boot id leaves this module, only salted hashes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
import socket
import sys
import time
import uuid
from importlib import metadata
from pathlib import Path

from batonpass.core.errors import BatonpassError
from batonpass.core.model.machine import Host
from batonpass.core.providers import find_provider
from batonpass.core.settings import Settings, read_settings

SALT_FILE = "machine-salt"
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


LIBRARIES = (
    *(
        "torchvision",
        "torchaudio",
        "transformers",
        "accelerate",
        "datasets",
        "peft",
        "timm",
        "diffusers",
        "bitsandbytes",
    ),
    *("lightning", "pytorch_lightning", "keras", "tensorflow", "jax", "triton", "flash_attn"),
)
"""Noted where the training process has loaded them: what has changed between two sessions may stand here."""


def where_am_i() -> str:
    """The id of the provider this process runs at (see `batonpass.core.providers`)."""
    return find_provider(os.environ, os.path.exists, sys.modules)


def describe_host(settings: Settings | None = None) -> Host:
    """This machine and this process. BatonpassError with a hint when the local folder cannot be written."""
    home = (settings or read_settings()).home
    return Host(
        provider=where_am_i(),
        machine=salted_hash(home, machine_marks()),
        process=process_mark(),
        system=f"{platform.system()} {platform.machine()}".strip(),
        cpu_count=_cpu_count(),
        ram_bytes=_ram_bytes(),
        disk_free_bytes=shutil.disk_usage(home).free,
    )


def machine_marks() -> str:
    """What tells this machine, as far as process ids mean anything on it, from every other one. Never stored as it is.

    On Linux the host name, the boot id and the process namespace: two containers on one computer, or two nodes with one home
    folder, are two machines, because neither can see whether the other's process lives. A reboot makes another machine too.
    """
    boot = _first_line("/proc/sys/kernel/random/boot_id")
    if boot is None:
        return f"{uuid.getnode():x}"
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}\n{boot}\n{namespace}"


def salted_hash(home: Path, text: str) -> str:
    """Sixteen hexadecimal digits that stand for `text` here and mean nothing elsewhere. The salt is made once per home folder."""
    return hashlib.sha256(_salt(home) + text.encode()).hexdigest()[:16]


def machine_secret(home: Path) -> str:
    """A long random text of this home folder, made once. Never stored elsewhere as it is, only in salted hashes."""
    return _salt(home).hex()


def versions() -> dict[str, str]:
    """Package -> version of what matters for an exact resume. Imports nothing: "cuda" and "cudnn" are there only once torch is loaded."""
    found = {"python": platform.python_version()}
    for package in ("batonpass", "torch", "numpy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            if version := getattr(sys.modules.get(package), "__version__", None):
                found[package] = str(version)
    for package in LIBRARIES:
        if isinstance(version := getattr(sys.modules.get(package), "__version__", None), str):
            found[package] = version
    torch = sys.modules.get("torch")
    if torch is not None and getattr(torch.version, "cuda", None):
        found["cuda"] = str(torch.version.cuda)
        if (cudnn := torch.backends.cudnn.version()) is not None:
            found["cudnn"] = str(cudnn)
    return found


def process_mark(pid: int | None = None) -> str:
    """A process as "pid-starttime"; the start time keeps a pid that was given out again from looking like the old process.

    On Linux it counts clock ticks since boot, which no change of the clock moves; elsewhere it is in unix seconds.
    """
    pid = os.getpid() if pid is None else pid
    started = _start_time(pid)
    return f"{pid}-{0 if started is None else started}"


def machine_age_s() -> float:
    """Seconds since this machine (in a container: the container) began; 0 where that cannot be told."""
    import psutil  # noqa: PLC0415  # `import batonpass` stays light

    try:
        return max(time.time() - psutil.Process(1).create_time(), 0.0)
    except psutil.Error:  # Windows has no process 1, macOS shows it to nobody
        return max(time.time() - psutil.boot_time(), 0.0)


def process_lives(mark: str) -> bool:
    """Whether the process of `process_mark`, on this machine, may still live. False only where it is surely gone.

    A killed process that its parent has not collected yet (a zombie) is gone. A mark that cannot be read says nothing: True.
    """
    pid_text, _, started_text = mark.partition("-")
    if not (pid_text.isascii() and pid_text.isdigit() and started_text.isascii() and started_text.isdigit()):
        return True
    import psutil  # noqa: PLC0415  # only asked when another session's process is in question

    pid, started = int(pid_text), int(started_text)
    if pid >= 2**31 or not psutil.pid_exists(pid):
        return False
    try:
        if psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return False
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
    now = _start_time(pid)
    tolerance = 0 if _has_proc() else 2  # the float start time of other systems may round either way
    return now is None or started == 0 or abs(now - started) <= tolerance


def _start_time(pid: int) -> int | None:
    if _has_proc():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return int(stat.rpartition(")")[2].split()[19])  # field 22 of proc(5), counted after the command's name
    import psutil  # noqa: PLC0415  # only needed where there is no /proc

    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _salt(home: Path) -> bytes:
    path = home / SALT_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create_once(path, secrets.token_hex(16))
        return path.read_bytes()
    except OSError as error:
        raise BatonpassError(
            f"cannot write to the local folder {home}: {error.strerror or error}",
            hint="set BATONPASS_HOME to a folder on this machine's own disk that you can write to",
        ) from error


def _create_once(path: Path, text: str) -> None:
    """Write a file whole or not at all; where two processes do it at once, both then read the same one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # a filesystem without hard links
        draft.replace(path)
    draft.unlink(missing_ok=True)


def _cpu_count() -> int | None:
    """The processors this process may use, not all that the host has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()


def _ram_bytes() -> int:
    """The memory this process may use: the machine's, or its container's where that is less."""
    import psutil  # noqa: PLC0415  # `import batonpass` stays light

    total = int(psutil.virtual_memory().total)
    limits = [int(line) for path in _CGROUP_LIMITS if (line := _first_line(path)) is not None and line.isdigit()]
    return min((total, *limits))


def _first_line(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
