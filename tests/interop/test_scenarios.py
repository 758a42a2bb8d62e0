"""Which test shows which of the protocol's interop scenarios, in both roles where a role can be swapped."""

import ast
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent

SHOWN: dict[int, tuple[str, ...]] = {
    1: (
        "test_node_adds.py::test_a_job_of_node_comes_back_with_our_result",
        "test_we_add.py::test_a_job_of_ours_comes_back_with_nodes_result",
        "test_we_add.py::test_every_kind_of_payload_arrives",
        "test_python_peer.py::test_we_run_its_job",
    ),
    2: (
        "test_we_add.py::test_a_job_of_ours_comes_back_with_nodes_result",
        "test_we_add.py::test_node_reads_our_options_as_its_own",
        "test_python_peer.py::test_it_runs_our_job",
    ),
    3: (
        "test_we_add.py::test_both_sides_jobs_run_in_one_order",
        "test_scenarios_jobs.py::test_scenario_03_and_04_we_start_both_sides_jobs_in_one_order",
        "test_python_peer.py::test_one_order_for_both",
    ),
    4: (
        "test_node_adds.py::test_plain_jobs_come_first_then_priorities",
        "test_we_add.py::test_both_sides_jobs_run_in_one_order",
        "test_scenarios_jobs.py::test_scenario_03_and_04_we_start_both_sides_jobs_in_one_order",
    ),
    5: (
        "test_scenarios_jobs.py::test_scenario_05_an_idle_worker_starts_a_delayed_job_in_time",
        "test_python_peer.py::test_delays_are_kept_by_both",
    ),
    6: ("test_scenarios_jobs.py::test_scenario_06_jobs_due_at_once_keep_the_order_of_both_producers",),
    7: (
        "test_together.py::test_every_idle_worker_is_woken",
        "test_together.py::test_every_idle_worker_is_woken_by_us",
    ),
    8: ("test_together.py::test_attempts_of_one_job_add_up_over_both",),
    9: (
        "test_node_adds.py::test_backoff_doubles_from_attempt_to_attempt",
        "test_scenarios_jobs.py::test_scenario_09_the_wait_doubles_from_attempt_to_attempt",
    ),
    10: (
        "test_node_adds.py::test_an_unrecoverable_error_is_not_tried_again",
        "test_scenarios_jobs.py::test_scenario_10_an_unrecoverable_error_of_node_ends_our_job",
    ),
    11: (
        "test_stalls.py::test_our_job_is_run_by_node_after_we_were_killed",
        "test_stalls.py::test_a_job_that_killed_two_of_ours_is_not_run_by_node",
    ),
    12: (
        "test_stalls.py::test_a_job_of_a_killed_node_is_run_by_us",
        "test_stalls.py::test_a_job_that_killed_two_of_node_is_not_run_by_us",
    ),
    13: (
        "test_stalls.py::test_a_long_job_of_ours_is_not_taken_away",
        "test_scenarios_jobs.py::test_scenario_13_a_long_job_of_node_is_not_taken_by_us",
    ),
    14: ("test_stalls.py::test_without_the_lock_no_end_is_written",),
    15: (
        "test_we_add.py::test_a_custom_id_is_added_once_by_whom_ever",
        "test_python_peer.py::test_a_custom_id_is_added_once",
    ),
    16: (
        "test_scenarios_jobs.py::test_scenario_16_an_id_taken_by_one_side_binds_the_other",
        "test_deduplication.py::test_the_last_of_many_runs_after_the_one_that_ran",
        "test_python_peer.py::test_deduplicated_adds_meet",
    ),
    17: (
        "test_control.py::test_a_paused_queue_rests_and_a_resumed_one_runs",
        "test_administration.py::test_a_node_worker_rests_while_we_pause",
        "test_python_peer_control.py::test_a_pause_of_one_holds_the_other",
    ),
    18: ("test_scenarios_queues.py::test_scenario_18_no_more_jobs_run_than_one_side_says",),
    19: (
        "test_scenarios_queues.py::test_scenario_19_both_sides_workers_keep_a_global_rate",
        "test_control.py::test_both_sides_workers_share_one_limit",
        "test_python_peer_control.py::test_its_rate_binds_us",
    ),
    20: (
        "test_scenarios_jobs.py::test_scenario_20_a_limit_set_in_our_handler_holds_its_job_and_all",
        "test_scenarios_jobs.py::test_scenario_20_a_limit_set_in_nodes_handler_holds_ours",
    ),
    21: (
        "test_schedules.py::test_node_makes_it_and_we_work_it",
        "test_schedules.py::test_we_make_it_and_node_works_it",
        "test_schedules.py::test_a_mixed_fleet_runs_each_tick_once",
        "test_python_peer_control.py::test_its_schedule_is_run_by_us",
    ),
    22: (
        "test_schedules.py::test_a_pattern_with_a_zone_and_a_limit_runs_three_times_on_either_side",
        "test_python_peer_control.py::test_our_schedule_is_run_by_it",
    ),
    23: (
        "test_scenarios_queues.py::test_scenario_23_a_pending_run_stays_until_its_schedule_goes",
        "test_schedules.py::test_either_side_lists_changes_and_removes_what_the_other_made",
    ),
    24: (
        "test_flows.py::test_a_parent_runs_after_all_its_children",
        "test_flows.py::test_node_runs_the_children_of_a_parent_of_ours",
        "test_python_peer_control.py::test_a_flow_crosses_a_fleet_of_three",
    ),
    25: (
        "test_flows.py::test_a_failed_child_does_to_its_parent_what_its_flag_says",
        "test_scenarios_queues.py::test_scenario_25_a_child_that_fails_in_node_does_to_our_parent_what_we_asked",
        "test_python_peer_control.py::test_a_failed_child_does_the_same_to_its_parent",
    ),
    26: ("test_flows.py::test_a_released_parent_goes_where_its_options_say",),
    27: (
        "test_node_adds.py::test_finished_jobs_are_kept_as_node_asked",
        "test_node_adds.py::test_old_records_go_by_age",
        "test_scenarios_jobs.py::test_scenario_27_node_keeps_as_many_of_ours_as_we_asked",
    ),
    28: (
        "test_we_add.py::test_we_remove_retry_and_promote_what_node_holds",
        "test_administration.py::test_bulk_orders_keep_priorities",
        "test_python_peer.py::test_what_it_retries_promotes_and_removes_is_ours",
    ),
    29: (
        "test_node_adds.py::test_progress_and_log_are_seen_by_node",
        "test_we_add.py::test_progress_and_log_of_node_are_seen_by_us",
        "test_scenarios_jobs.py::test_scenario_29_as_many_log_lines_stay_as_was_asked",
    ),
    30: (
        "test_scenarios_queues.py::test_scenario_30_node_removes_our_flow_unless_a_child_runs",
        "test_scenarios_queues.py::test_scenario_30_we_remove_nodes_flow_unless_a_child_runs",
    ),
    31: (
        "test_administration.py::test_each_side_cleans_what_the_other_made",
        "test_administration.py::test_each_side_drains_what_the_other_added",
        "test_administration.py::test_each_side_obliterates_what_the_other_made",
    ),
    32: (
        "test_scenarios_queues.py::test_scenario_32_node_reads_our_counts_by_the_minute",
        "test_scenarios_queues.py::test_scenario_32_we_read_nodes_counts_by_the_minute",
    ),
    33: (
        "test_scenarios_queues.py::test_scenario_33_we_list_nodes_workers",
        "test_node_adds.py::test_a_worker_of_ours_has_its_name_in_node",
        "../browser/test_bull_board.py::test_our_workers_are_listed_by_name",
        "../browser/test_bull_board.py::test_a_completed_job_is_shown_whole",
    ),
    34: (
        "test_node_adds.py::test_no_result_of_ours_breaks_nodes_listener",
        "test_python_peer.py::test_results_of_every_kind_reach_its_listeners",
    ),
    35: (
        "test_parity.py::test_the_same_steps_leave_the_same_keys_and_events",
        "test_tied_parity.py::test_the_same_steps_leave_the_same_keys_and_events",
        "test_schedule_parity.py::test_the_same_steps_leave_the_same_keys_and_events",
        "test_administration_parity.py::test_the_same_orders_leave_the_same_keys_and_events",
    ),
}


def test_every_scenario_has_a_test() -> None:
    assert list(SHOWN) == list(range(1, 36))


@pytest.mark.parametrize("shown", sorted({each for tests in SHOWN.values() for each in tests}))
def test_every_test_of_the_table_exists(shown: str) -> None:
    path, _, name = shown.partition("::")
    tree = ast.parse((_FOLDER / path).read_text())
    assert name in {each.name for each in tree.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}
