"""What `doctor` finds, on folders and on a Drive."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from batonpass.core.codec import encode
from batonpass.core.model import Root
from batonpass.core.settings import Settings
from batonpass.sync.doctor import Check, diagnose


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_healthy_drive(drive, drive_settings):
    """Every check is there and ok."""
    drive.put("batonpass.json", encode(Root("0123456789ab", drive.now())))
    checks = by_name(diagnose("gdrive://batonpass", drive_settings))
    assert set(checks) == {"versions", "sign-in", "client id", "scope", "owner", "space", "clock", "root"}
    assert all(check.ok for check in checks.values()), checks
    assert "0123456789ab" in checks["root"].detail
    assert "drive.file" not in checks["owner"].detail


def test_a_revoked_sign_in_ends_the_drives_part(drive_settings, emulator):
    """What needs the sign-in is not guessed at; the hint says what to do."""
    emulator.fault("answer", op="token", status=400, times=0)
    token = drive_settings.drive_token
    refresh_token = token.partition('"refresh_token": "')[2].partition('"')[0]
    emulator.control("clear_faults")
    emulator.control("revoke", refresh_token=refresh_token)
    checks = by_name(diagnose("gdrive://batonpass", drive_settings))
    assert not checks["sign-in"].ok
    assert "login" in checks["sign-in"].hint
    assert "space" not in checks
    assert refresh_token not in str(checks)


def test_no_sign_in_at_all(tmp_path):
    """The store cannot be opened, and the check says why."""
    checks = by_name(diagnose("gdrive://batonpass", Settings(home=tmp_path)))
    assert not checks["store"].ok
    assert checks["store"].hint


def test_a_drive_that_is_almost_full_of_trash(drive, drive_settings, emulator, account):
    """The trash's share is named, and that it is the user who empties it."""
    info = drive.put("a.bin", b"x" * 950)
    emulator.control("trash", file_id=info.id)
    emulator.control("account", email=account, quota_bytes=1000)
    space = by_name(diagnose("gdrive://batonpass", drive_settings))["space"]
    assert not space.ok
    assert "trash" in space.detail
    assert "trash" in space.hint


def test_a_clock_that_is_off(drive_settings, emulator):
    """Two hours between here and Google are said."""
    emulator.control("settings", clock_skew_s=-7200)
    clock = by_name(diagnose("gdrive://batonpass", drive_settings))["clock"]
    assert not clock.ok
    assert "-72" in clock.detail or "-71" in clock.detail


def test_the_full_scope_is_said_aloud(drive_settings, emulator, account):
    """Colab's way in reaches every file: the user is told."""
    token = emulator.token(account, scopes=("https://www.googleapis.com/auth/drive",))
    scope = by_name(diagnose("gdrive://batonpass", replace(drive_settings, drive_token=token)))["scope"]
    assert "every file" in scope.detail


def test_a_folder(tmp_path):
    """A folder that can be created is fine, and looking creates nothing."""
    settings = Settings(home=tmp_path / "home")
    checks = by_name(diagnose(str(tmp_path / "runs"), settings))
    assert set(checks) == {"versions", "writable", "space", "root"}
    assert all(check.ok for check in checks.values()), checks
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path):
    """Said with the system's reason."""
    tmp_path.chmod(0o500)
    assert not by_name(diagnose(str(tmp_path), Settings(home=tmp_path)))["writable"].ok


def test_a_folder_with_a_damaged_root_file(tmp_path):
    """The file is named and left as it is."""
    (tmp_path / "batonpass.json").write_text("{")
    root = by_name(diagnose(str(tmp_path), Settings(home=tmp_path)))["root"]
    assert not root.ok
    assert (tmp_path / "batonpass.json").read_text() == "{"


def test_a_mount_that_is_not_there(tmp_path):
    """The mount is what is wrong; nothing is written below it."""
    settings = Settings(home=tmp_path / "home", mount_points=(tmp_path / "drive",))
    checks = by_name(diagnose(str(tmp_path / "drive" / "MyDrive" / "batonpass"), settings))
    assert not checks["mount"].ok
    assert "writable" not in checks
    assert list(tmp_path.iterdir()) == []


def test_copies_that_two_writers_left_on_a_mount_are_named(tmp_path):
    root = tmp_path / "mount" / "MyDrive" / "batonpass"
    sessions = root / "runs" / "cats-0011aabb" / "sessions"
    sessions.mkdir(parents=True)
    (root / "runs" / "cats-0011aabb" / "head (1).json").write_text("{}")
    settings = Settings(home=tmp_path / "home", mount_points=(tmp_path / "mount",))
    found = {check.name: check for check in diagnose(str(root), settings)}
    assert not found["conflicts"].ok
    assert "runs/cats-0011aabb/head (1).json" in found["conflicts"].detail
    (root / "runs" / "cats-0011aabb" / "head (1).json").unlink()
    assert "conflicts" not in {check.name for check in diagnose(str(root), settings)}
