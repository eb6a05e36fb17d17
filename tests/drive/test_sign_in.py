"""Which credential is found, and what is said when it does not do."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from batonpass.core.errors import SignInError, StoreFullError, UsageError
from batonpass.core.settings import Settings
from batonpass.sync.sign_in import TOKEN_FILE, check_endpoint, find_credential


def settings(token: str | None, home: Path = Path("home")) -> Settings:
    return Settings(home=home, drive_token=token)


def test_no_credential_is_a_sign_in_error_with_a_hint():
    """Outside Colab nothing is guessed, and nothing opens a browser."""
    with pytest.raises(SignInError) as caught:
        find_credential(settings(None), {})
    assert "batonpass login" in caught.value.hint


@pytest.mark.parametrize(
    "token",
    [
        "{not json",
        '{"type": "authorized_user", "client_secret": "GOCSPX-secret"}',
        '{"installed": {"client_secret": "GOCSPX-secret"}}',
        "GOCSPX-secret pasted without its braces",
        '{"type": "service_account", "private_key": "GOCSPX-secret", "client_email": "a@b", "token_uri": "https://x"}',
        "[1, 2]",
        "\0",
    ],
)
def test_a_mangled_token_is_refused_without_being_repeated(token):
    """Whatever is wrong with it, the error does not quote the secret."""
    with pytest.raises(SignInError) as caught:
        find_credential(settings(token), {})
    assert "GOCSPX-secret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.hint


def test_a_token_may_be_text_or_a_file(emulator, tmp_path):
    """Both lead to the same client."""
    text = emulator.token(client_id="mine.apps.example.org")
    (tmp_path / "token.json").write_text(text)
    for token in (text, f"\n {text} ", str(tmp_path / "token.json")):
        credential = find_credential(settings(token), {})
        assert (credential.kind, credential.client_id) == ("refresh token", "mine.apps.example.org")
        credential.ensure_fresh()
        assert credential.scopes == {"https://www.googleapis.com/auth/drive.file"}
        assert text not in repr(credential)


def test_what_login_wrote_at_home_is_found_by_itself_and_the_variable_wins(emulator, tmp_path):
    """Without a variable; a newer token in that file is taken up like in any other."""
    kept = tmp_path / TOKEN_FILE
    kept.write_text(emulator.token(client_id="kept.apps.example.org"))
    assert find_credential(settings(None, tmp_path), {}).client_id == "kept.apps.example.org"
    named = emulator.token(client_id="named.apps.example.org")
    assert find_credential(settings(named, tmp_path), {}).client_id == "named.apps.example.org"
    kept.write_text("{not json GOCSPX-secret")
    with pytest.raises(SignInError) as caught:
        find_credential(settings(None, tmp_path), {})
    assert "GOCSPX-secret" not in "".join(traceback.format_exception(caught.value))


def test_a_token_is_not_sent_in_the_clear():
    """A token_uri or an endpoint that is neither https nor on this machine is refused."""
    token = {"client_id": "c", "client_secret": "s", "refresh_token": "r", "token_uri": "http://evil.example.org/token"}
    with pytest.raises(UsageError):
        find_credential(settings(json.dumps(token)), {})
    with pytest.raises(UsageError):
        check_endpoint("http://drive.example.org/", "BATONPASS_DRIVE_ENDPOINT")
    assert check_endpoint("http://127.0.0.1:8080", "x") == "http://127.0.0.1:8080/"
    assert check_endpoint("https://drive.example.org/api/", "x") == "https://drive.example.org/api/"


def test_colab_is_asked_only_on_colab(emulator, tmp_path, monkeypatch):
    """Application default credentials are Colab's quick start; Kaggle sets Colab's variables too."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    (tmp_path / "adc.json").write_text(emulator.token())
    assert find_credential(settings(None), {"COLAB_RELEASE_TAG": "release-colab"}).kind == "colab"
    for elsewhere in ({}, {"COLAB_RELEASE_TAG": "x", "KAGGLE_KERNEL_RUN_TYPE": "Batch"}):
        with pytest.raises(SignInError):
            find_credential(settings(None), elsewhere)


def test_colab_without_a_sign_in_names_the_cell_to_run(tmp_path, monkeypatch):
    """The hint is the line to paste."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(SignInError) as caught:
        find_credential(settings(None), {"COLAB_RELEASE_TAG": "release-colab"})
    assert "authenticate_user" in caught.value.hint


def test_a_service_account_signs_and_has_no_space(emulator, open_drive, tmp_path):
    """Its key signs a real request; on a consumer Drive it owns no bytes, and that is said."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    email = "robot@project.example.org"
    emulator.control("grant", account=email, client_id=email, scopes=["https://www.googleapis.com/auth/drive.file"])
    emulator.control("account", email=email, quota_bytes=0)
    token = {
        "type": "service_account",
        "client_email": email,
        "client_id": "1234",
        "private_key": key.decode(),
        "token_uri": f"{emulator.url}token",
    }
    store = open_drive(Settings(home=tmp_path, drive_token=json.dumps(token), drive_endpoint=emulator.url))
    assert store.list_objects("") == []
    with pytest.raises(StoreFullError):
        store.put("a.json", b"x")
