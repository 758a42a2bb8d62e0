"""Asks the endpoints of metrics and health as Prometheus and Kubernetes do."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


async def fetch(url: str) -> tuple[int, str]:
    """The status and the text of an answer."""
    return await asyncio.to_thread(fetch_now, url)


def fetch_now(url: str) -> tuple[int, str]:
    """The same for a thread of its own."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def probe(url: str) -> tuple[int, dict[str, bool]]:
    """The status of a probe, and what it looked at: whether each is well."""
    status, text = await fetch(url)
    found: dict[str, Any] = json.loads(text)
    assert found["ok"] == (status == 200)
    return status, {each["name"]: each["ok"] for each in found["checks"]}


async def scrape(url: str, *labels: str) -> dict[str, float]:
    """Every sample by its name and the values of its labels, with spaces between; of these labels alone."""
    _, text = await fetch(f"{url}/metrics")
    return {
        " ".join([sample.name, *(sample.labels[each] for each in labels if each in sample.labels)]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
