"""Writes the rules as a file for Prometheus: the same names, thresholds, durations and words."""

from __future__ import annotations

from collections.abc import Iterable

from stockyard.observe.alerts.rules import SERVER, AlertRule, LimitsRule, Rule

PAGES = "docs/incidents"
"""Default address of the incident pages."""

_NODE = "{{ with $labels.node }} (node {{ . }}){{ end }}"
"""What of a cluster's nodes it is; nothing of a single server."""

_HEAD = """\
# Made from the rules in the source by `stockyard alerts rules`, which knows your queues and thresholds, too.
groups:
  - name: stockyard
    rules:
"""


def rule_file(rules: Iterable[Rule], *, pages: str = PAGES) -> str:
    """Return the rules that Prometheus can watch as YAML for its ``rule_files``.

    Args:
        rules: those without an expression are left out.
        pages: address of the folder of incident pages, which each alert links into. Defaults to their place here.
    """
    return _HEAD + "\n".join(_entry(rule, pages.rstrip("/")) for rule in rules if rule.promql)


def page_name(rule: str) -> str:
    """Return the name of a rule's incident page."""
    return f"{rule.replace(' ', '-')}.md"


def alert_name(rule: str) -> str:
    """Return a rule's name as Prometheus has it: ``oldest waiting`` is ``StockyardOldestWaiting``."""
    return "Stockyard" + "".join(word.capitalize() for word in rule.split())


def _entry(rule: Rule, pages: str) -> str:
    of_limits, is_of_queue = isinstance(rule, LimitsRule), isinstance(rule, AlertRule)
    subject = "{{ $labels.limits }}" if of_limits else "{{ $labels.queue }}" if is_of_queue else SERVER
    # Other metrics have no queue; their alerts say what they are about in the place where others name theirs.
    labels = {"rule": rule.name} if is_of_queue else {"rule": rule.name, "queue": subject}
    annotations = {
        "summary": f'{subject}: {rule.name} is {{{{ printf "%g" $value }}}}{rule.unit}, '
        f"more than {rule.threshold:g}{rule.unit}{_NODE if subject == SERVER else ''}: {rule.action}",
        "action": rule.action,
        "runbook_url": f"{pages}/{page_name(rule.name)}",
    }
    lines = [
        f"      - alert: {alert_name(rule.name)}",
        f"        expr: {_quoted(_expression(rule))}",
        *([f"        for: {_span(rule.for_ms)}"] if rule.for_ms else []),
        *_block("labels", labels),
        *_block("annotations", annotations),
    ]
    return "\n".join(lines) + "\n"


def _expression(rule: Rule) -> str:
    # Comparing binds more loosely than arithmetic, and more tightly than `or`.
    measure = f"({rule.promql})" if " or " in rule.promql else rule.promql
    return f"{measure} > {rule.threshold:g}"


def _span(milliseconds: int) -> str:
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _block(name: str, entries: dict[str, str]) -> list[str]:
    return [f"        {name}:", *(f"          {key}: {_quoted(value)}" for key, value in entries.items())]


def _quoted(text: str) -> str:
    # Single quotes leave backslashes and double quotes alone, which expressions are full of.
    return "'" + text.replace("'", "''") + "'"
