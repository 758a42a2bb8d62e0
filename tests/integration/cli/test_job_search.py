"""`stockyard job search`: jobs of all queues by id, name and data."""

import msgspec

from tests.integration.cli.conftest import Run


def test_jobs_are_found_and_the_status_says_whether(run: Run) -> None:
    for number in range(3):
        run("job", "add", "mail", "welcome", f'{{"name": "ada", "n": {number}}}', f"--id=m{number}")
    run("job", "add", "parcels", "send", '{"name": "ada"}', "--id=p1")
    every = run("job", "search", "data.name:ada")
    assert every.status == 0
    assert [line.split("  ")[:4] for line in every.out.splitlines() if "ada" in line] == [
        ["mail", "m2", "waiting", "welcome"],
        ["mail", "m1", "waiting", "welcome"],
        ["mail", "m0", "waiting", "welcome"],
        ["parcels", "p1", "waiting", "send"],
    ]
    one = run("job", "search", "data.n:1", "mail", "--json")
    assert msgspec.json.decode(one.out.splitlines()[-1])["id"] == "m1"
    assert len(run("job", "search", "ada", "--count=2", "--json").out.splitlines()) == 2
    by_id = run("job", "search", "id:p1")
    assert by_id.out.splitlines()[-1].startswith("parcels  p1  waiting  send")
    assert run("job", "search", "data.name:eve").status == 1
    assert run("job", "search", "ada", "--count=0").status == 2
