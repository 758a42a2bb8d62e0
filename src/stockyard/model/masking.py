"""Masks secrets in text that people or programs will read: logs, errors, command output."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from functools import cache
from typing import Any

MASK = "***"

_NAMES = (
    r"(?:password|passwd|passphrase|pwd|secret|token|credentials?|authorization|signature"
    r"|(?:api|access|private)[_-]?key)"
)
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"

# Patterns are compiled when they are first needed: a process that logs nothing needs none.
_NEXT_URL = r"(?:(?<=[\s\"'`(<\[{=,;|>])|^)[A-Za-z][A-Za-z0-9+.-]{0,30}://"
_NAME = rf"[\w.-]*{_NAMES}"
_ASSIGNED = rf"({_NAMES}=)(?:{_QUOTED}|[^\s&]+)"
_IN_MAPPING = rf"(?P<name>(?P<quote>[\"'])[\w.-]{{0,64}}{_NAMES}(?P=quote)\s*:\s*)b?(?:{_QUOTED})"
_HEADER = r"\b(authorization:\s*(?:[A-Za-z][\w-]*\s+)?)[^\s,\"']+"
_BEARER = r"\b(bearer\s+)[\w.~+/=-]+"
_HINTS = r"://|bearer|pass|pwd|secret|token|key|credential|authorization|signature"


@cache
def _pattern(text: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(text, flags)


def mask_secrets(text: str) -> str:
    """Return the text with passwords of URLs, secret parameters and tokens replaced by ``***``.

    It masks:

    - the password of ``scheme://user:password@host``, whatever characters it holds, up to the last ``@`` of the
      line or of the text before the next URL; the user's name of http and https, which is often a token;
    - values of parameters and variables whose names end in ``password``, ``token``, ``secret``, ``api_key`` and
      the like: ``?password=…``, ``REDIS_PASSWORD=…``, ``{"token": "…"}``;
    - tokens behind ``Bearer`` and ``Authorization:``.

    Where a text is ambiguous, it masks more rather than less.
    """
    if _pattern(_HINTS).search(text) is None:
        return text
    text = _masked_urls(text)
    text = _pattern(_ASSIGNED).sub(rf"\1{MASK}", text)
    text = _pattern(_IN_MAPPING).sub(rf'\g<name>"{MASK}"', text)
    text = _pattern(_HEADER).sub(rf"\1{MASK}", text)
    return _pattern(_BEARER).sub(rf"\1{MASK}", text)


def mask_value(value: Any) -> Any:
    """Return a value of plain types (text, numbers, lists, mappings) with the secrets in its texts masked.

    A text under a key such as ``password`` is masked as a whole.
    """
    if isinstance(value, str):
        return mask_secrets(value)
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(inner, str) and _pattern(_NAME).fullmatch(str(key)) else mask_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask_value(inner) for inner in value]
    return value


def _masked_urls(text: str) -> str:
    parts: list[str] = []
    done, last = 0, text.rfind("@")
    limits = [url.start() for url in _pattern(_NEXT_URL, re.MULTILINE).finditer(text)] if last >= 0 else []
    while (start := text.find("://", done)) >= 0 and start < last:
        begin = start + 3
        following = bisect_left(limits, begin)
        limit = limits[following] if following < len(limits) else len(text)
        line_end = text.find("\n", begin, limit)
        at = text.rfind("@", begin, limit if line_end < 0 else line_end)
        masked = "" if at < 0 else _masked_login(text, begin, at)
        parts += [text[done:begin], masked]
        done = at if masked else begin
    return "".join([*parts, text[done:]])


def _masked_login(text: str, begin: int, at: int) -> str:
    """Return what to show of the text between ``://`` and the last ``@``; nothing where it holds no secret."""
    is_http = text.endswith(("http", "https"), 0, begin - 3)
    colon = text.find(":", begin, at)
    user = text[begin : at if colon < 0 else colon]
    # A user's name holds no space: here prose follows a URL, and the "@" belongs to something else.
    if re.search(r"\s", user):
        return ""
    if re.search(r"[/?#]", user):
        # In a path of the web both signs are common; anywhere else this is a password that is not encoded.
        return "" if is_http else MASK
    if colon >= 0:
        return f"{user}:{MASK}"
    return MASK if is_http else ""
