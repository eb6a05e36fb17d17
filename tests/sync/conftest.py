"""The emulated Drive, for what must hold on it as on a folder."""

from __future__ import annotations

from drive_emulator.fixtures import account, drive, drive_settings, emulator, emulator_process, open_drive

__all__ = ["account", "drive", "drive_settings", "emulator", "emulator_process", "open_drive"]
