"""Mounting: the person's Drive, the folder STANDIN_DRIVE, appears as MyDrive under the mount point."""

import os
from pathlib import Path


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    if "STANDIN_DRIVE" not in os.environ:
        raise ValueError("mount failed")
    point = Path(mountpoint)
    if (point / "MyDrive").exists():
        print(
            f"Drive already mounted at {mountpoint}; to attempt to forcibly remount, call drive.mount(..., force_remount=True)."
        )
        return
    point.mkdir(parents=True, exist_ok=True)
    (point / "MyDrive").symlink_to(os.environ["STANDIN_DRIVE"], target_is_directory=True)
    print(f"Mounted at {mountpoint}")
