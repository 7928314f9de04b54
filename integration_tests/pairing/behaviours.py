"""Every behaviour of the protocol, and the test that holds it with the official package as its other half.

The sections are those of the protocol as the official packages show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MATRIX: Final = "integration_tests/pairing/test_matrix.py"
READERS: Final = "integration_tests/pairing/test_official_readers.py"
WRITERS: Final = "integration_tests/pairing/test_official_writers.py"
COMPARED: Final = "integration_tests/pairing/test_wire_protocol.py"
PAIR: Final = "tests/wire/test_official_pair.py"
GOLDEN: Final = "tests/wire/test_golden_bytes.py"
JOBS: Final = "tests/clients/test_official_jobs.py"
CAPTURE: Final = "integration_tests/clients/test_official_capture.py"

# section: behaviour: (module, test)
BEHAVIOURS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "2. Handing over the params": {
        "in variables": (MATRIX, "test_the_job_sees_the_context_as_it_was_sent"),
        "on the command line": (READERS, "test_context_and_params_may_come_in_variables_and_on_the_command_line"),
        "on the command line, to an official job": (
            COMPARED,
            "test_an_official_job_takes_our_params_from_its_command_line",
        ),
        "the same text": (PAIR, "test_params_have_the_same_text_and_go_both_ways"),
        "the same damage is refused": (PAIR, "test_our_decoder_takes_exactly_what_the_official_one_takes"),
        "a context without messages is an error": (COMPARED, "test_both_packages_refuse_the_same_params"),
        "a process that nobody launched goes on": (
            COMPARED,
            "test_a_process_that_nobody_launched_gets_a_warning_and_goes_on",
        ),
        "several official writers": (
            WRITERS,
            "test_official_jobs_of_a_composite_reader_each_write_to_a_place_of_their_own",
        ),
        "several writers of ours": (READERS, "test_the_writers_of_a_composite_reader_are_read_each_from_its_own_place"),
    },
    "3. Context params": {
        "file and object": (MATRIX, "test_the_params_have_the_official_keys_so_that_a_job_in_any_language_finds_them"),
        "inline": (READERS, "test_context_and_params_may_come_in_variables_and_on_the_command_line"),
        "inline, to an official job": (JOBS, "test_everything_that_an_official_job_says_comes_back"),
        "path wins over data; wrong types are errors": (COMPARED, "test_both_packages_refuse_the_same_params"),
    },
    "4. Context data": {
        "every key": (MATRIX, "test_the_job_sees_the_context_as_it_was_sent"),
        "no asset": (READERS, "test_a_process_that_is_launched_for_no_asset_has_null_keys"),
        "only checks": (READERS, "test_a_step_that_only_checks_has_an_empty_list_of_assets_and_takes_any_key"),
        "called like a function": (READERS, "test_a_step_that_is_called_like_a_function_is_ephemeral"),
        "a range in one run": (READERS, "test_a_range_of_partitions_in_one_run_comes_without_key_range_and_window"),
        "a range whose ends differ": (COMPARED, "test_both_packages_see_a_range_whose_ends_differ"),
        "453 bytes": (GOLDEN, "test_a_whole_context_of_453_bytes_survives_byte_for_byte"),
    },
    "5. Messages params": {
        "keys and types": (MATRIX, "test_the_params_have_the_official_keys_so_that_a_job_in_any_language_finds_them"),
        "streams, with our job": (READERS, "test_messages_stand_between_the_lines_of_ordinary_output"),
        "streams, with an official job": (JOBS, "test_everything_that_an_official_job_says_comes_back"),
        "none that fits is an error that names what came": (COMPARED, "test_both_packages_refuse_the_same_params"),
        "an absent or null prefix": (COMPARED, "test_an_absent_or_null_prefix_is_the_bucket_itself_for_both_packages"),
        "output, with our job": (READERS, "test_captured_output_is_there_before_closed"),
    },
    "6. Channels": {
        "a file, whole lines": (COMPARED, "test_lines_of_ten_megabytes_in_a_file_arrive_whole"),
        "a stream": (READERS, "test_messages_stand_between_the_lines_of_ordinary_output"),
        "chunks, byte for byte": (COMPARED, "test_a_chunk_has_the_bytes_of_the_official_one"),
        "a newline after the last message": (WRITERS, "test_the_bytes_of_other_languages_are_read"),
        "the official pace": (READERS, "test_thirty_seconds_of_messages_arrive_at_the_official_readers_pace"),
    },
    "7. Message envelope": {
        "our bytes": (PAIR, "test_a_whole_exchange_has_the_bytes_of_the_official_package"),
        "raw UTF-8, any order of keys": (WRITERS, "test_the_bytes_of_other_languages_are_read"),
        "NaN and infinities": (MATRIX, "test_every_custom_message_arrives"),
    },
    "8. Methods": {
        "results": (MATRIX, "test_every_result_arrives_with_all_its_metadata"),
        "logs": (MATRIX, "test_every_log_line_arrives_at_its_level"),
        "custom messages, null included": (MATRIX, "test_every_custom_message_arrives"),
        "output": (MATRIX, "test_the_jobs_output_is_copied_stream_by_stream"),
        "what the sender refuses": (COMPARED, "test_a_call_is_written_or_refused_by_both_packages_alike"),
        "after close": (COMPARED, "test_after_the_close_both_packages_refuse_and_a_second_close_does_nothing"),
    },
    "9. Closed with an exception": {
        "cause and context": (MATRIX, "test_an_exception_arrives_with_its_cause_and_context"),
        "an exit": (COMPARED, "test_an_exit_with_zero_is_an_exception_of_the_official_package_and_no_failure_of_ours"),
        "other languages": (WRITERS, "test_the_bytes_of_other_languages_are_read"),
    },
    "10. Metadata, log levels, asset keys": {
        "every type": (MATRIX, "test_every_result_arrives_with_all_its_metadata"),
        "what is refused": (PAIR, "test_metadata_that_the_official_package_refuses_is_refused"),
        "odd levels of our job": (READERS, "test_levels_that_are_none_of_the_five_do_not_stop_the_official_reader"),
        "odd levels of an official job": (WRITERS, "test_a_custom_level_of_an_official_job_costs_that_line_alone"),
        "escaped keys": (MATRIX, "test_several_assets_with_escaped_keys_are_told_apart"),
        "decoding keys": (PAIR, "test_asset_keys_are_split_as_the_official_package_splits_them"),
    },
    "11. Odd input": {
        "lines that no reader of Dagster survives": (WRITERS, "test_each_odd_message_is_named_and_stepped_over"),
        "a missing number": (WRITERS, "test_a_chunk_that_somebody_deleted_is_a_gap_and_all_others_arrive"),
        "no closed": (WRITERS, "test_a_killed_job_is_truncated_and_what_it_had_stored_is_there"),
        "messages after closed": (WRITERS, "test_output_that_comes_in_a_chunk_after_closed_arrives_before_the_end"),
    },
    "12. Other languages": {
        "their bytes": (WRITERS, "test_the_bytes_of_other_languages_are_read"),
        "our params": (MATRIX, "test_the_params_have_the_official_keys_so_that_a_job_in_any_language_finds_them"),
    },
    "13. Faults of the official pair": {
        "backlog": (WRITERS, "test_a_backlog_of_sixty_chunks_is_read_to_its_end_after_the_job_has_ended"),
        "reader reuse": (WRITERS, "test_one_reader_object_reads_the_logs_of_several_official_jobs"),
        "overwriting": (WRITERS, "test_a_job_that_is_started_again_writes_over_its_own_chunks_and_is_read_again"),
        "two writers": (WRITERS, "test_two_jobs_that_write_to_one_place_are_never_called_complete"),
        "restart, with our job": (READERS, "test_a_job_that_is_started_again_goes_on_where_the_killed_one_ended"),
        "what cannot be serialized": (WRITERS, "test_what_an_official_job_cannot_serialize_is_a_missing_end"),
        "captured output": (CAPTURE, "test_output_that_an_official_job_sends_after_closed_is_copied_and_no_problem"),
    },
}
