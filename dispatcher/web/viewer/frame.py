"""The HTML of a mail as it stands in a frame of the viewer: as it came, but for what a mail program decides.

Mail programs decide whether it is dark and whether pictures are shown. A frame without an origin does not take its
colour scheme from the page, so the answer to a mail's own question, `prefers-color-scheme`, is written into it.
"""

from __future__ import annotations

import re

from dispatcher.web.viewer.mail import Mail

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {pictures}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
ANYWHERE, HERE = "http: https: data:", "http://127.0.0.1:* data:"
"""Where pictures may come from: a demo that fetched others would tell somebody that it runs."""

_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_CID = re.compile(r"cid:([^\"'\s)>]+)")
_YES, _NO = "(min-width:0)", "(max-width:0)"


def framed(mail: Mail, *, dark: bool = False) -> str:
    """The document for a frame. Its links open beside the page, not inside the frame."""
    html = mail.html or "<p>This mail has no HTML part.</p>"
    html = _SCHEME.sub(lambda found: _YES if (found[1].lower() == "dark") is dark else _NO, html)
    html = _CID.sub(lambda found: mail.pictures.get(found[1], found[0]), html)
    scheme = "dark" if dark else "light"
    head = _HEAD.search(html)
    cut = head.end() if head else 0
    added = f'<base target="_blank"><style>:root{{color-scheme:{scheme}!important}}</style>'
    return f"{html[:cut]}{added}{html[cut:]}"


def policy(pictures: str = ANYWHERE, *, shows_pictures: bool = True) -> str:
    """The Content-Security-Policy of that document: nothing runs, nothing is sent, and pictures only if wanted."""
    return _POLICY.format(pictures=pictures if shows_pictures else "'none'")
