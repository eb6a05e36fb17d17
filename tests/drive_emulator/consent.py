"""Google's consent page, as a page: who asks, for what, a box for each permission, Continue and Cancel. For a real browser and a real person."""

from __future__ import annotations

from html import escape

from drive_emulator.answers import Answer

NAMES = {
    "drive.file": "See and change only the files in your Google Drive that this app made",
    "drive": "See, change and delete all of your Google Drive files",
    "drive.readonly": "See all of your Google Drive files",
}

_PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Sign in: the Drive emulator</title>
<body style="font: 16px sans-serif; max-width: 34em; margin: 4em auto">
<h1>An app wants access to your account</h1>
<p>{client} asks <b>{account}</b> for:</p>
<form method="get" action="/auth">{hidden}<input type="hidden" name="answered" value="1">{boxes}
<p><button name="does" value="allow">Continue</button> <button name="does" value="deny">Cancel</button></p></form></body></html>"""


def consent_page(query: dict[str, str], account: str) -> Answer:
    """Its form comes back to the same address, with what the person did: `does`, and `granted` for each box that is ticked."""
    boxes = "".join(_box(n, scope) for n, scope in enumerate(query["scope"].split()))
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in query.items()
    )
    page = _PAGE.format(client=escape(query["client_id"]), account=escape(account), hidden=hidden, boxes=boxes)
    return Answer(200, {"Content-Type": "text/html; charset=UTF-8"}, page.encode())


def granted_scopes(query: dict[str, str]) -> str:
    """What was ticked; an app always learns who it is."""
    ticked = [scope for n, scope in enumerate(query["scope"].split()) if f"granted-{n}" in query]
    return " ".join(ticked or ["openid"])


def _box(number: int, scope: str) -> str:
    name = NAMES.get(scope.rpartition("/")[2], scope)
    return f'<p><label><input type="checkbox" name="granted-{number}" checked> {escape(name)}</label></p>'
