"""The context: what it tells, what it reports, how it ends."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pytest

from blobpipes.errors import DagsterPipesError, UndeliveredError, UnserializableError
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.context import PipesContext
from blobpipes.external.context_loaders import PipesDefaultContextLoader
from blobpipes.external.message_writers import PipesDefaultMessageWriter, PipesMessageWriter
from blobpipes.wire.messages import PipesMessage, encode_message
from tests.external.launching import loader, methods

ASSETS = {
    "asset_keys": ["orders"],
    "code_version_by_asset_key": {"orders": "7"},
    "provenance_by_asset_key": {
        "orders": {"code_version": "6", "input_data_versions": {"raw": "x"}, "is_user_provided": True}
    },
    "job_name": "nightly",
    "retry_number": 2,
    "extras": {"limit": 10},
}
TWO_ASSETS = {
    "asset_keys": ["a", "b"],
    "code_version_by_asset_key": {"a": "1", "b": None},
    "provenance_by_asset_key": {"a": None, "b": None},
}
PARTITION = {
    "partition_key": "2024-01-02",
    "partition_key_range": {"start": "2024-01-02", "end": "2024-01-02"},
    "partition_time_window": {"start": "2024-01-02T00:00:00+00:00", "end": "2024-01-03T00:00:00+00:00"},
}


class ListWriter(PipesMessageWriter["ListChannel"]):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.fail_on: str | None = None
        self.is_open = False

    @contextmanager
    def open(self, params: Any) -> Iterator[ListChannel]:
        self.is_open = True
        try:
            yield ListChannel(self)
        finally:
            self.is_open = False


class ListChannel(PipesMessageWriterChannel):
    def __init__(self, writer: ListWriter) -> None:
        self._writer = writer

    def write_message(self, message: PipesMessage) -> None:
        line = encode_message(message)
        if message["method"] == self._writer.fail_on:
            raise UndeliveredError("the store is away", count=3)
        self._writer.messages.append(json.loads(line))


@pytest.fixture
def writer() -> ListWriter:
    return ListWriter()


def opened(writer: ListWriter, context: dict[str, Any] | None = None) -> PipesContext:
    return PipesContext(loader({}, context), PipesDefaultContextLoader(), writer)


def params_of(writer: ListWriter, method: str) -> list[Any]:
    return [message["params"] for message in writer.messages if message["method"] == method]


# --- what it tells ----------------------------------------------------------------------------------------


def test_an_asset_step_tells_all_about_its_asset(writer: ListWriter) -> None:
    context = opened(writer, ASSETS)
    assert context.is_asset_step
    assert context.asset_key == "orders"
    assert context.asset_keys == ["orders"]
    assert context.code_version == "7"
    assert context.code_version_by_asset_key == {"orders": "7"}
    assert context.provenance is not None
    assert context.provenance["input_data_versions"] == {"raw": "x"}
    assert list(context.provenance_by_asset_key) == ["orders"]
    assert (context.run_id, context.job_name, context.retry_number) == ("run-1", "nightly", 2)
    assert context.extras == {"limit": 10}
    assert context.get_extra("limit") == 10


@pytest.mark.parametrize("name", ["asset_key", "code_version", "provenance"])
def test_what_only_one_asset_has_is_undefined_for_two(writer: ListWriter, name: str) -> None:
    context = opened(writer, TWO_ASSETS)
    assert context.asset_keys == ["a", "b"]
    with pytest.raises(DagsterPipesError, match=f"`{name}` is undefined: the step targets 2 assets"):
        getattr(context, name)


@pytest.mark.parametrize(
    "name",
    ["asset_key", "asset_keys", "code_version", "code_version_by_asset_key", "provenance", "provenance_by_asset_key"],
)
def test_assets_are_undefined_outside_an_asset_step(writer: ListWriter, name: str) -> None:
    context = opened(writer)
    assert not context.is_asset_step
    with pytest.raises(DagsterPipesError, match=f"`{name}` is undefined: the step does not target an asset"):
        getattr(context, name)


def test_a_partition_step_tells_its_partition(writer: ListWriter) -> None:
    context = opened(writer, PARTITION)
    assert context.is_partition_step
    assert context.partition_key == "2024-01-02"
    assert context.partition_key_range == PARTITION["partition_key_range"]
    assert context.partition_time_window == PARTITION["partition_time_window"]


def test_a_range_of_partitions_has_no_single_key(writer: ListWriter) -> None:
    context = opened(writer, {"partition_key_range": {"start": "a", "end": "c"}})
    assert context.is_partition_step
    assert context.partition_key_range == {"start": "a", "end": "c"}
    assert context.partition_time_window is None
    with pytest.raises(DagsterPipesError, match="targets the partitions a to c"):
        _ = context.partition_key


@pytest.mark.parametrize("name", ["partition_key", "partition_key_range", "partition_time_window"])
def test_partitions_are_undefined_outside_a_partition_step(writer: ListWriter, name: str) -> None:
    context = opened(writer)
    assert not context.is_partition_step
    with pytest.raises(DagsterPipesError, match=f"`{name}` is undefined"):
        getattr(context, name)


def test_an_extra_that_was_not_passed_is_an_error_with_a_way_out(writer: ListWriter) -> None:
    with pytest.raises(DagsterPipesError, match="no extra 'limit'"):
        opened(writer).get_extra("limit")


# --- what it reports --------------------------------------------------------------------------------------


def test_reports_have_the_official_params(writer: ListWriter) -> None:
    with opened(writer, ASSETS) as context:
        context.report_asset_materialization({"rows": 3, "plot": {"type": "path", "raw_value": "/p"}}, "v1")
        context.report_asset_check("chk", False, "WARN", {"m": 1.5})
        context.report_asset_check("chk", True, asset_key="orders")
        context.report_custom_message({"p": [1, None]})
        context.log_external_stream("stdout", "text\n", {"x": 1})
    assert methods(writer.messages) == [
        "opened",
        "report_asset_materialization",
        "report_asset_check",
        "report_asset_check",
        "report_custom_message",
        "log_external_stream",
        "closed",
    ]
    assert [message["params"] for message in writer.messages] == [
        {"extras": {}},
        {
            "asset_key": "orders",
            "data_version": "v1",
            "metadata": {
                "rows": {"raw_value": 3, "type": "__infer__"},
                "plot": {"type": "path", "raw_value": "/p"},
            },
        },
        {
            "asset_key": "orders",
            "check_name": "chk",
            "passed": False,
            "metadata": {"m": {"raw_value": 1.5, "type": "__infer__"}},
            "severity": "WARN",
        },
        {"asset_key": "orders", "check_name": "chk", "passed": True, "metadata": None, "severity": "ERROR"},
        {"payload": {"p": [1, None]}},
        {"stream": "stdout", "text": "text\n", "extras": {"x": 1}},
        {},
    ]


@pytest.mark.parametrize("keys", [None, []])
def test_without_selected_assets_any_key_passes_and_none_is_an_error(writer: ListWriter, keys: Any) -> None:
    context = opened(writer, {"asset_keys": keys})
    context.report_asset_materialization(asset_key="any")
    with pytest.raises(DagsterPipesError, match="needs an asset key"):
        context.report_asset_materialization()


def test_a_key_that_is_not_the_steps_is_an_error(writer: ListWriter) -> None:
    context = opened(writer, TWO_ASSETS)
    with pytest.raises(DagsterPipesError, match="'c' is not one of the step's"):
        context.report_asset_check("chk", True, asset_key="c")
    with pytest.raises(DagsterPipesError, match="needs an asset key: the step targets 2 assets"):
        context.report_asset_check("chk", True)
    with pytest.raises(DagsterPipesError, match="must be a string"):
        context.report_asset_check("chk", True, asset_key=["a"])  # type: ignore[arg-type]


def test_a_second_materialization_is_an_error_and_a_failed_one_does_not_count(writer: ListWriter) -> None:
    context = opened(writer, ASSETS)
    with pytest.raises(UnserializableError, match="metadata"):
        context.report_asset_materialization({"bad": object()})
    writer.fail_on = "report_asset_materialization"
    with pytest.raises(UndeliveredError):
        context.report_asset_materialization()
    writer.fail_on = None
    context.report_asset_materialization()
    with pytest.raises(DagsterPipesError, match="reported as materialized already"):
        context.report_asset_materialization(asset_key="orders")
    assert len(params_of(writer, "report_asset_materialization")) == 1


def test_of_many_threads_exactly_one_materializes_an_asset(writer: ListWriter) -> None:
    context = opened(writer, ASSETS)
    errors: list[DagsterPipesError] = []

    def report() -> None:
        try:
            context.report_asset_materialization()
        except DagsterPipesError as error:
            errors.append(error)

    threads = [threading.Thread(target=report) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(params_of(writer, "report_asset_materialization")) == 1
    assert len(errors) == 7


@pytest.mark.parametrize(
    "report",
    [
        lambda context: context.report_asset_check("chk", "yes"),
        lambda context: context.report_asset_check("chk", 1),
        lambda context: context.report_asset_check(None, True),
        lambda context: context.report_asset_check("chk", True, "FATAL"),
        lambda context: context.report_asset_check("chk", True, metadata={"a": {"b": 1}}),
        lambda context: context.report_asset_materialization(data_version=3),
        lambda context: context.report_asset_materialization({1: "x"}),
        lambda context: context.report_custom_message(object()),
        lambda context: context.log_external_stream("stdlog", "x"),
    ],
)
def test_a_report_that_the_other_side_would_refuse_is_refused_here(writer: ListWriter, report: Any) -> None:
    context = opened(writer, ASSETS)
    with pytest.raises(DagsterPipesError):
        report(context)
    context.close()
    assert methods(writer.messages) == ["opened", "closed"]


def test_numpys_bool_is_taken_for_passed(writer: ListWriter) -> None:
    opened(writer, ASSETS).report_asset_check("chk", numpy.bool_(True))
    assert params_of(writer, "report_asset_check")[0]["passed"] is True


# --- how it ends ------------------------------------------------------------------------------------------


def test_leaving_the_block_closes_once_and_releases_everything(writer: ListWriter) -> None:
    with opened(writer) as context:
        assert not context.is_closed
        assert writer.is_open
    context.close()
    assert context.is_closed
    assert not writer.is_open
    assert methods(writer.messages) == ["opened", "closed"]
    assert params_of(writer, "closed") == [{}]


def test_an_exception_is_reported_and_raised_again(writer: ListWriter) -> None:
    with pytest.raises(ValueError, match="no rows"), opened(writer):
        raise ValueError("no rows") from KeyError("rows")
    exception = params_of(writer, "closed")[0]["exception"]
    assert exception["message"] == "ValueError: no rows\n"
    assert exception["name"] == "ValueError"
    assert exception["cause"]["name"] == "KeyError"
    assert 'raise ValueError("no rows")' in "".join(exception["stack"])


@pytest.mark.parametrize("code", [None, 0, False])
def test_a_normal_exit_is_no_exception(writer: ListWriter, code: Any) -> None:
    with pytest.raises(SystemExit), opened(writer):
        raise SystemExit(code)
    assert params_of(writer, "closed") == [{}]


@pytest.mark.parametrize("error", [SystemExit(3), SystemExit("no rows"), KeyboardInterrupt()])
def test_any_other_exit_is_reported(writer: ListWriter, error: BaseException) -> None:
    with pytest.raises(type(error)), opened(writer):
        raise error
    assert params_of(writer, "closed")[0]["exception"]["name"] == type(error).__name__


def test_close_takes_an_exception_in_either_form(writer: ListWriter) -> None:
    opened(writer).close(ValueError("x"))
    opened(writer).close({"message": "y", "stack": [], "name": "Y", "cause": None, "context": None})
    assert [each["exception"]["name"] for each in params_of(writer, "closed")] == ["ValueError", "Y"]


def test_a_report_after_the_close_is_an_error(writer: ListWriter) -> None:
    context = opened(writer, ASSETS)
    context.close()
    for report in (context.report_asset_materialization, lambda: context.log.info("late")):
        with pytest.raises(DagsterPipesError, match="context is closed"):
            report()
    assert methods(writer.messages) == ["opened", "closed"]


def test_a_close_that_fails_raises_releases_and_is_not_repeated(writer: ListWriter) -> None:
    writer.fail_on = "closed"
    with pytest.raises(UndeliveredError), opened(writer) as context:
        pass
    assert context.is_closed
    assert not writer.is_open
    context.close()


@pytest.mark.parametrize("first", [ValueError("no rows"), SystemExit(3), KeyboardInterrupt()])
def test_a_close_that_fails_does_not_hide_what_happened_before(writer: ListWriter, first: BaseException) -> None:
    writer.fail_on = "closed"
    with pytest.raises(UndeliveredError) as caught, opened(writer):
        raise first
    assert caught.value.__cause__ is first


def test_a_normal_exit_whose_messages_are_lost_is_no_normal_exit(writer: ListWriter) -> None:
    writer.fail_on = "closed"
    with pytest.raises(UndeliveredError), opened(writer):
        raise SystemExit(0)


def test_what_writes_by_itself_is_stopped_before_closed(writer: ListWriter) -> None:
    with opened(writer) as context:
        context._channel.add_source(lambda: context.log_external_stream("stdout", "the last output"))
    assert methods(writer.messages) == ["opened", "log_external_stream", "closed"]


def test_a_close_within_a_close_does_nothing(writer: ListWriter) -> None:
    """As from a signal handler that runs while the main thread closes."""
    with opened(writer) as context:
        context._channel.add_source(context.close)
    assert methods(writer.messages) == ["opened", "closed"]


def test_an_opened_that_fails_releases_the_channel(writer: ListWriter) -> None:
    writer.fail_on = "opened"
    with pytest.raises(UndeliveredError):
        opened(writer)
    assert not writer.is_open


def test_opened_extras_of_a_writer_are_sent() -> None:
    class Writer(ListWriter):
        def get_opened_extras(self) -> dict[str, Any]:
            return {"console": "http://x"}

    writer = Writer()
    opened(writer)
    assert params_of(writer, "opened") == [{"extras": {"console": "http://x"}}]


def test_get_gives_what_was_set_and_else_an_error(writer: ListWriter) -> None:
    assert not PipesContext.is_initialized()
    with pytest.raises(DagsterPipesError, match="no pipes context is open"):
        PipesContext.get()
    context = opened(writer)
    PipesContext.set(context)
    assert PipesContext.is_initialized()
    assert PipesContext.get() is context


# --- the default writer's streams -------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["stdio", "buffered_stdio"])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_messages_go_to_a_standard_stream(key: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(f"sys.{name}", stream)
    with PipesContext(loader({key: name}), PipesDefaultContextLoader(), PipesDefaultMessageWriter()) as context:
        context.log.info("x")
        assert bool(stream.getvalue()) is (key == "stdio")
    assert methods(json.loads(line) for line in stream.getvalue().splitlines()) == ["opened", "log", "closed"]


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"stdio": "stdlog"}, "'stdlog'"),
        ({"stdio": None}, "absent"),
        ({"path": 5}, "must be a string"),
        ({}, "no params at all"),
        ({"prefect_logs": True}, "received `prefect_logs`"),
        ({"dagster_pipes_composite_writers": [{}, {}]}, "several external processes"),
    ],
)
def test_messages_params_that_fit_no_channel_are_an_error(params: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DagsterPipesError, match=complaint):
        PipesContext(loader(params), PipesDefaultContextLoader(), PipesDefaultMessageWriter())


def test_the_file_flavour_gives_the_official_bytes(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    context = PipesContext(
        loader({"path": str(path)}, ASSETS), PipesDefaultContextLoader(), PipesDefaultMessageWriter()
    )
    with context:
        context.log.warning("w")
        context.report_asset_materialization()
        context.report_asset_check("chk", False, "WARN", {"m": 1.5})
    head = '{"__dagster_pipes_version": "0.1", "method": '
    assert path.read_text() == (
        head + '"opened", "params": {"extras": {}}}\n'
        + head + '"log", "params": {"message": "w", "level": "WARNING"}}\n'
        + head + '"report_asset_materialization", "params": '
        '{"asset_key": "orders", "data_version": null, "metadata": null}}\n'
        + head + '"report_asset_check", "params": {"asset_key": "orders", "check_name": "chk", "passed": false, '
        '"metadata": {"m": {"raw_value": 1.5, "type": "__infer__"}}, "severity": "WARN"}}\n'
        + head + '"closed", "params": {}}\n'
    )  # fmt: skip
