from drive_emulator.fixtures import account, drive, drive_settings, emulator, emulator_process, open_drive, temper

__all__ = ["account", "drive", "drive_settings", "emulator", "emulator_process", "open_drive", "temper"]
