"""What tells this machine from every other one, for receipts: nothing raw leaves this module but to `core.arrival`, which hashes it."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from batonpass.core.arrival import salted_marks
from batonpass.core.model import Host, Method
from batonpass.sync.machine import machine_secret

_MACHINE_ID = Path("/etc/machine-id")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """This machine, as far as it can be told. No part of it may be shown or stored."""

    boot: str = ""
    """New at each start of the operating system."""
    install: str = ""
    """Of this installation of the operating system."""
    home: str = ""
    """Of the local folder; a copy of it on another machine looks like this one, which is the careful side."""

    def marks(self, session: str) -> tuple[str, ...]:
        """Salted with a session's id."""
        return salted_marks({"boot": self.boot, "install": self.install, "home": self.home}, session)


def this_machine(home: Path) -> Identity:
    """Who this is. BatonpassError with a hint when the local folder cannot be written."""
    secret = machine_secret(home)
    if "microsoft" in platform.release().lower():
        # Linux inside Windows reads the Windows computer's cache under a boot and an installation of its own
        return Identity(home=secret)
    return Identity(_read(_BOOT_ID), _install_id(), secret)


def reader_id(me: Identity, method: Method) -> str:
    """The name of this computer's receipt, as "read-1f2e3d4c": another one for each way, because each may lie in another place until
    the Drive has brought both together.
    """
    return f"{method}-{hashlib.sha256(f'reader {me.home}'.encode()).hexdigest()[:8]}"


def mark_host(host: Host, home: Path, session: str) -> Host:
    """The host with the marks of this machine for this session."""
    return replace(host, marks=this_machine(home).marks(session))


def _install_id() -> str:
    if sys.platform == "win32":
        return _windows_id()
    if sys.platform == "darwin":
        return _mac_id()
    found = _read(_MACHINE_ID)
    return found if len(found) == 32 else ""  # "uninitialized", or none, in an image that was never started


def _windows_id() -> str:
    if sys.platform != "win32":
        return ""
    import winreg  # noqa: PLC0415  # not there elsewhere

    try:
        with winreg.OpenKey(
            winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY
        ) as key:
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])
    except OSError:
        return ""


def _mac_id() -> str:
    found = re.search(
        r'"IOPlatformUUID" = "([^"]+)"', _answer("/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice")
    )
    return found[1] if found else ""


def _answer(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603  # fixed words
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
