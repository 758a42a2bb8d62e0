"""`stockyard doctor`: what is dangerous about the server, and what to do; the exit status is the verdict."""

from __future__ import annotations

from stockyard.cli.connection import DEFAULT, Connection
from stockyard.cli.display import show_json, show_table
from stockyard.cli.options import AsJson
from stockyard.observe.doctor.checks import Severity, worst


async def doctor(*, connection: Connection = DEFAULT, json: AsJson = False) -> int:
    """Examine the server; the exit status is 1 when something is dangerous, else 0."""
    async with connection.open() as app:
        findings = await app.check_server()
    if json:
        show_json(findings)
    else:
        show_table(
            ("", "check", "found", "danger", "remedy"),
            [
                (finding.severity.upper(), finding.check, finding.cause, finding.danger, finding.remedy)
                for finding in findings
            ],
        )
    return 1 if worst(findings) is Severity.DANGER else 0
