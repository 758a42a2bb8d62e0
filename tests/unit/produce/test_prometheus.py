"""A queue's numbers as text for Prometheus."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stockyard import InvalidOption
from stockyard.produce.prometheus import exposition


def test_states_are_sorted_and_totals_follow() -> None:
    assert exposition("mail", {"waiting": 2, "active": 1}, 7, 3, {}) == (
        "# HELP bullmq_job_count Number of jobs in the queue by state\n"
        "# TYPE bullmq_job_count gauge\n"
        'bullmq_job_count{queue="mail", state="active"} 1\n'
        'bullmq_job_count{queue="mail", state="waiting"} 2\n'
        "# HELP bullmq_job_completed_total Total number of completed jobs\n"
        "# TYPE bullmq_job_completed_total counter\n"
        'bullmq_job_completed_total{queue="mail"} 7\n'
        "# HELP bullmq_job_failed_total Total number of failed jobs\n"
        "# TYPE bullmq_job_failed_total counter\n"
        'bullmq_job_failed_total{queue="mail"} 3\n'
    )


def test_labels_come_last_and_a_parser_reads_their_values_back() -> None:
    awkward = 'a "quoted" \\n back\\slash\nnewline, {brace} Ω'
    text = exposition(awkward, {"active": 1}, 0, 0, {"env": awkward, "_x1": "1"})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) == {"bullmq_job_count", "bullmq_job_completed", "bullmq_job_failed"}
    (sample,) = families["bullmq_job_count"].samples
    assert sample.labels == {"queue": awkward, "state": "active", "env": awkward, "_x1": "1"}
    assert list(sample.labels) == ["queue", "state", "env", "_x1"]


@pytest.mark.parametrize("name", ["", "a-b", "1a", "queue", "state", "ü", 'x="1", y', 5])
def test_a_label_that_is_none_is_refused(name: Any) -> None:
    with pytest.raises(InvalidOption, match="a label's name must be"):
        exposition("q", {}, 0, 0, {name: "1"})
