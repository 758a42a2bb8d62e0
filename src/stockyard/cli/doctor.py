"""`stockyard doctor`: what is dangerous about the server, and what to do; the exit status is the verdict."""

from __future__ import annotations

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_facts, show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.observe.doctor.finding import Finding, Severity, worst
from stockyard.observe.doctor.set_checks import QUEUE


async def doctor(*, connection: Connection = DEFAULT, json: AsJson = False) -> int:
    """Examine the server; the exit status is 1 when something is dangerous, else 0."""
    async with connection.open() as app:
        findings = await app.check_server()
    if json:
        show_json(findings)
        return _status(findings)
    # How Node spells a queue is there to be copied: on one line, which a table would fold.
    spelled = {each.check: each.cause for each in findings if _is_well(each) and each.check.startswith(QUEUE)}
    show_table(
        ("", "check", "found", "danger", "remedy"),
        [
            (finding.severity.upper(), finding.check, finding.cause, finding.danger, finding.remedy)
            for finding in findings
            if finding.check not in spelled
        ],
    )
    show_facts(spelled)
    return _status(findings)


def _is_well(finding: Finding) -> bool:
    return finding.severity is Severity.OK


def _status(findings: list[Finding]) -> int:
    return 1 if worst(findings) is Severity.DANGER else 0
