"""What may not be shown: passwords inside URLs. Used wherever text of the configuration leaves."""

from __future__ import annotations

import re

HIDDEN = "****"
# Greedy up to the last @: an unquoted password may contain one.
_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://[^/\s:@]*):[^/\s]*@", re.IGNORECASE)
_PARAMETER = re.compile(r"([?&](?:password|token|secret)=)[^&\s]+", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with the password of every URL in it replaced."""
    return _PARAMETER.sub(rf"\1{HIDDEN}", _USERINFO.sub(rf"\1:{HIDDEN}@", text))
