"""Plays every fault and prints what became of the jobs: `python -m tests.faults.report [name …]`."""

import asyncio
import sys

from stockyard.testing.judgement import HistoryReport
from tests.faults.scenarios import SCENARIOS, Scenario, play
from tests.faults.sets_scenarios import SETS, SetScenario, play_on_set

HEAD = "| what happens | acknowledged | lost | refused | unsure, added | run twice | longest gap | after it |"
TABLES = (SCENARIOS, SETS)


def row(scenario: Scenario | SetScenario, verdict: HistoryReport) -> str:
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
    known = [scenario.name for table in TABLES for scenario in table]
    if unknown := set(names) - set(known):
        print(f"no fault {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    problems: list[str] = []
    for table in TABLES:
        if chosen := [scenario for scenario in table if scenario.name in names or not names]:
            print(HEAD)
            print("|---|" + "---:|" * (HEAD.count("|") - 2))
            for scenario in chosen:
                problems += _play_row(scenario)
    for problem in problems:
        print(problem, file=sys.stderr)
    return bool(problems)


def _play_row(scenario: Scenario | SetScenario) -> list[str]:
    """Play one fault, print its row, and return what should not be."""
    playing = play(scenario) if isinstance(scenario, Scenario) else play_on_set(scenario)
    verdict = asyncio.run(playing)
    print(row(scenario, verdict), flush=True)
    return [f"{scenario.name}: {problem}" for problem in verdict.problems]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
