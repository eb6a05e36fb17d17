"""OAuth: the page where a person says yes, and the token endpoint."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

from drive_emulator.accounts import Grant
from drive_emulator.answers import Answer, as_json
from drive_emulator.consent import consent_page, granted_scopes
from drive_emulator.exchange import Exchange
from drive_emulator.storage import Storage


class SignIn:
    def __init__(self, storage: Storage) -> None:
        self.accounts = storage.accounts
        self.codes: dict[str, Grant] = {}
        self.consent = "yes"
        """What the person does at the page: "yes", "no", "unticked" (yes, but not to what was asked), or "ask": a page that waits for them."""

    def page(self, exchange: Exchange) -> Answer:
        """The person answers at once, as the account named in `login_hint` (or ann), unless a page is to ask them."""
        query = exchange.query
        account = query.get("login_hint", "ann@example.org")
        if self.consent == "ask" and "answered" not in query:
            return consent_page(query, account)
        if self.consent == "no" or query.get("does") == "deny":
            back = urlencode({"error": "access_denied", "state": query.get("state", "")})
            return Answer(302, {"Location": f"{query['redirect_uri']}?{back}"})
        if self.consent == "ask":
            scope = granted_scopes(query)
        else:
            scope = query["scope"] if self.consent == "yes" else "openid"
        code = secrets.token_urlsafe(12)
        self.codes[code] = self.accounts.grant(account, query["client_id"], scope.split())
        self.accounts.handed_out.append(code)
        back = urlencode({"code": code, "state": query.get("state", ""), "scope": scope})
        return Answer(302, {"Location": f"{query['redirect_uri']}?{back}"})

    def token(self, exchange: Exchange) -> Answer:
        form = dict(parse_qsl(exchange.body.read_all().decode()))
        grant = self._grant(form)
        if grant is None or grant.revoked:
            tree = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return as_json(tree, 400)
        tree: dict[str, Any] = {
            "access_token": self.accounts.new_token(grant, time.monotonic()),
            "expires_in": grant.expires_s,
            "scope": " ".join(grant.scopes),
            "token_type": "Bearer",
        }
        if "code" in form:
            tree["refresh_token"] = grant.refresh_token
        return as_json(tree)

    def _grant(self, form: dict[str, str]) -> Grant | None:
        if "code" in form:
            return self.codes.pop(form["code"], None)
        if "assertion" in form:
            claims = form["assertion"].split(".")[1]
            said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            grant = next((g for g in self.accounts.grants.values() if g.client_id == said["iss"]), None)
            if grant is not None:  # a service account gets what it asks for: nobody is asked
                grant.scopes = tuple(said["scope"].split())
            return grant
        return self.accounts.grants.get(form.get("refresh_token", ""))
