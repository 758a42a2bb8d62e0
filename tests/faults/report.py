"""Plays every fault and prints what became of the jobs: `python -m tests.faults.report [name …]`."""

import asyncio
import sys

from tests.faults.scenarios import SCENARIOS, Scenario, play
from tests.support.history import Verdict

HEAD = "| what happens | acknowledged | lost | refused | unsure, added | run twice | longest gap | after it |"


def row(scenario: Scenario, verdict: Verdict) -> str:
    """One line of the table."""
    cells = (
        scenario.happens,
        verdict.acknowledged,
        verdict.lost,
        verdict.refused,
        f"{verdict.unsure}, {verdict.unsure_added}",
        f"{verdict.doubled} + {verdict.doubled_by_peers}",
        f"{verdict.gap:.1f} s",
        f"{verdict.resumed:.1f} s",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def main(names: list[str]) -> int:
    """Play the named ones, or all; return 1 if anything was not as promised, 2 if a name is not known."""
    if unknown := set(names) - {each.name for each in SCENARIOS}:
        print(
            f"no fault {', '.join(unknown)}; there are {', '.join(each.name for each in SCENARIOS)}",
            file=sys.stderr,
        )
        return 2
    chosen = [each for each in SCENARIOS if each.name in names or not names]
    print(HEAD)
    print("|---|" + "---:|" * (HEAD.count("|") - 2))
    problems = []
    for scenario in chosen:
        verdict = asyncio.run(play(scenario))
        print(row(scenario, verdict), flush=True)
        problems += [f"{scenario.name}: {each}" for each in verdict.problems]
    for each in problems:
        print(each, file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
