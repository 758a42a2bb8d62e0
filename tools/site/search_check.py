"""Checks that a newcomer finds by the site's search what the field calls by these names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

TERMS = (
    *("retry", "rate limit", "graceful shutdown", "dead worker", "idempotent", "heartbeat", "dead letter"),
    *("testing", "FastAPI", "Kubernetes"),
)


def not_found(site: Path) -> list[str]:
    """Return the terms that neither a heading nor a text of the search index holds."""
    items: list[Mapping[str, str]] = json.loads((site / "search.json").read_text())["items"]
    texts = [f"{item['title']} {item['text']}".casefold() for item in items]
    return [term for term in TERMS if not any(term.casefold() in text for text in texts)]
