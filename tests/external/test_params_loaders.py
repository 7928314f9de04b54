"""How a process finds out that it was launched, and by what."""

from __future__ import annotations

import zlib

import pytest

from blobpipes.errors import DagsterPipesError
from blobpipes.external.params_loaders import (
    PipesCliArgsParamsLoader,
    PipesEnvVarParamsLoader,
    PipesMappingParamsLoader,
    PipesParamsLoader,
    default_params_loader,
)
from tests.external.launching import bootstrap

VALUES = bootstrap({"path": "/messages"})
CONTEXT, MESSAGES = VALUES["DAGSTER_PIPES_CONTEXT"], VALUES["DAGSTER_PIPES_MESSAGES"]
SPLIT = ["--dagster-pipes-context", CONTEXT, "--dagster-pipes-messages", MESSAGES]
JOINED = [f"--dagster-pipes-context={CONTEXT}", f"--dagster-pipes-messages={MESSAGES}"]


def assert_loads(loader: PipesParamsLoader) -> None:
    assert loader.is_dagster_pipes_process()
    assert loader.load_context_params() == {"data": {"run_id": "run-1"}}
    assert loader.load_messages_params() == {"path": "/messages"}


def test_a_mapping_gives_both_params() -> None:
    assert_loads(PipesMappingParamsLoader(VALUES))


def test_the_environment_gives_both_params(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)
    assert_loads(PipesEnvVarParamsLoader())


@pytest.mark.parametrize("arguments", [SPLIT, JOINED, ["--mine", "x", *JOINED[:1], *SPLIT[2:], "tail"]])
def test_the_command_line_gives_both_params_in_either_form(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["job.py", *arguments])
    assert_loads(PipesCliArgsParamsLoader())


def test_the_last_of_two_options_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["job.py", "--dagster-pipes-context=broken", *SPLIT])
    assert_loads(PipesCliArgsParamsLoader())


def test_a_process_without_a_context_entry_was_not_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["job.py", "--dagster-pipes-contextual", "x"])
    assert not PipesEnvVarParamsLoader().is_dagster_pipes_process()
    assert not PipesCliArgsParamsLoader().is_dagster_pipes_process()
    assert not PipesMappingParamsLoader({"DAGSTER_PIPES_MESSAGES": MESSAGES}).is_dagster_pipes_process()


def test_by_default_the_command_line_is_asked_only_if_the_environment_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(default_params_loader(), PipesEnvVarParamsLoader)
    monkeypatch.setattr("sys.argv", ["job.py", *JOINED])
    assert_loads(default_params_loader())
    monkeypatch.setenv("DAGSTER_PIPES_CONTEXT", CONTEXT)
    assert isinstance(default_params_loader(), PipesEnvVarParamsLoader)


def test_a_context_without_messages_is_an_error_that_names_the_missing_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAGSTER_PIPES_CONTEXT", CONTEXT)
    with pytest.raises(DagsterPipesError, match="environment variable DAGSTER_PIPES_MESSAGES is absent"):
        PipesEnvVarParamsLoader().load_messages_params()
    monkeypatch.setattr("sys.argv", ["job.py", *JOINED[:1]])
    with pytest.raises(DagsterPipesError, match="option --dagster-pipes-messages is absent"):
        PipesCliArgsParamsLoader().load_messages_params()


@pytest.mark.parametrize("arguments", [["--dagster-pipes-context"], ["--dagster-pipes-context", *SPLIT[2:]]])
def test_an_option_without_a_value_is_an_error(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["job.py", *arguments])
    loader = PipesCliArgsParamsLoader()
    assert loader.is_dagster_pipes_process()
    with pytest.raises(DagsterPipesError, match="--dagster-pipes-context has no value"):
        loader.load_context_params()


@pytest.mark.parametrize("value", ["", "%%%", "AAAA", CONTEXT[:-4], CONTEXT[4:], zlib.compress(b"[1]").hex()])
def test_a_damaged_value_is_an_error_that_names_its_carrier_and_not_its_content(value: str) -> None:
    with pytest.raises(DagsterPipesError, match="the entry DAGSTER_PIPES_CONTEXT") as caught:
        PipesMappingParamsLoader({"DAGSTER_PIPES_CONTEXT": value}).load_context_params()
    assert "remedy" in str(caught.value)
    assert not value or value not in str(caught.value)
