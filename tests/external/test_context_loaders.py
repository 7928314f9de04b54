"""Getting the context from where the orchestration side put it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blobpipes.errors import DagsterPipesError, InvalidUrlError, MissingBackendError, StoreUnavailableError
from blobpipes.external.context import PipesContext
from blobpipes.external.context_loaders import (
    PipesBlobStoreContextLoader,
    PipesContextLoader,
    PipesDefaultContextLoader,
)
from blobpipes.external.message_writers import PipesDefaultMessageWriter
from blobpipes.external.params_loaders import PipesMappingParamsLoader
from blobpipes.storage.open import open_store
from blobpipes.wire.context import PipesContextData
from blobpipes.wire.params import encode_param
from tests.external.launching import messages_of, methods

DATA = {"run_id": "run-1", "extras": {"note": "é"}}


def load(params: Mapping[str, Any], loader: PipesContextLoader | None = None) -> Any:
    with (loader or PipesDefaultContextLoader()).load_context(params) as data:
        return data


def test_the_context_is_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "context").write_text(json.dumps(DATA, ensure_ascii=False), encoding="utf-8")
    assert load({"path": str(tmp_path / "context")}) == DATA


def test_the_context_is_in_the_params() -> None:
    assert load({"data": DATA}) == DATA


def test_a_path_wins_over_data(tmp_path: Path) -> None:
    (tmp_path / "context").write_text(json.dumps(DATA))
    assert load({"path": str(tmp_path / "context"), "data": {"run_id": "another"}}) == DATA


def test_the_context_is_an_object_in_a_store() -> None:
    open_store("memory://loader/s-1").put("_bp/context.json", json.dumps(DATA).encode())
    assert load({"blobpipes": {"v": 1, "url": "memory://loader/s-1/_bp/context.json"}}) == DATA


def test_the_context_is_an_object_in_a_bucket_whose_provider_this_side_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    open_store("memory://bucket").put("runs/context.json", json.dumps(DATA).encode())
    params = {"bucket": "bucket", "key": "runs/context.json"}
    assert load(params, PipesBlobStoreContextLoader("memory://")) == DATA
    with pytest.raises(DagsterPipesError, match="not which provider's"):
        load(params)
    monkeypatch.setenv("BLOBPIPES_URL", "memory://")
    assert load(params) == DATA


def test_an_absent_object_or_file_is_an_error_that_says_where(tmp_path: Path) -> None:
    with pytest.raises(DagsterPipesError, match=r"no context at memory://loader/absent\.json"):
        load({"blobpipes": {"url": "memory://loader/absent.json"}})
    with pytest.raises(DagsterPipesError, match="absent cannot be read: No such file"):
        load({"path": str(tmp_path / "absent")})


@pytest.mark.parametrize("content", [b"{", b"", b"\xff{}", b"[" * 100_000])
def test_damaged_json_is_an_error_that_says_where(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "context").write_bytes(content)
    with pytest.raises(DagsterPipesError, match="context is not UTF-8 JSON"):
        load({"path": str(tmp_path / "context")})


@pytest.mark.parametrize("params", [{}, {"stdio": "stdout"}, {"path": 5}, {"data": "text"}, {"bucket": "b"}])
def test_params_of_another_kind_are_an_error(params: dict[str, Any]) -> None:
    with pytest.raises(DagsterPipesError):
        load(params)


def test_a_scheme_that_nobody_serves_is_an_error_with_a_remedy() -> None:
    with pytest.raises((InvalidUrlError, MissingBackendError)):
        load({"blobpipes": {"url": "nowhere://b/context.json"}})
    with pytest.raises(InvalidUrlError):
        PipesBlobStoreContextLoader("s3:/")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [({}, "no `run_id`"), ({"run_id": 5}, "`run_id`"), ({"run_id": "r", "asset_keys": "a"}, "`asset_keys`")],
)
def test_a_context_that_breaks_the_protocol_is_an_error_that_the_orchestration_side_sees(
    data: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    values = {"DAGSTER_PIPES_CONTEXT": {"data": data}, "DAGSTER_PIPES_MESSAGES": {"path": str(tmp_path / "messages")}}
    loader = PipesMappingParamsLoader({name: encode_param(value) for name, value in values.items()})
    with pytest.raises(DagsterPipesError, match=complaint):
        PipesContext(loader, PipesDefaultContextLoader(), PipesDefaultMessageWriter())
    messages = messages_of((tmp_path / "messages").read_text().splitlines())
    assert methods(messages) == ["opened", "closed"]
    assert complaint in messages[1]["params"]["exception"]["message"]


def test_a_context_whose_store_cannot_be_reached_is_not_reported_to_that_store(tmp_path: Path) -> None:
    class Unreachable(PipesContextLoader):
        @contextmanager
        def load_context(self, params: Any) -> Iterator[PipesContextData]:
            raise StoreUnavailableError("no network")
            yield

    values = {"DAGSTER_PIPES_CONTEXT": {}, "DAGSTER_PIPES_MESSAGES": {"path": str(tmp_path / "messages")}}
    loader = PipesMappingParamsLoader({name: encode_param(value) for name, value in values.items()})
    with pytest.raises(StoreUnavailableError):
        PipesContext(loader, Unreachable(), PipesDefaultMessageWriter())
    assert not (tmp_path / "messages").exists()


def test_a_failed_start_that_cannot_be_reported_raises_what_failed_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "DAGSTER_PIPES_CONTEXT": {"data": {}},
        "DAGSTER_PIPES_MESSAGES": {"path": str(tmp_path / "no" / "folder")},
    }
    loader = PipesMappingParamsLoader({name: encode_param(value) for name, value in values.items()})
    with pytest.raises(DagsterPipesError, match="no `run_id`"):
        PipesContext(loader, PipesDefaultContextLoader(), PipesDefaultMessageWriter())
    assert "could not be reported" in capsys.readouterr().err


def test_a_loader_of_ones_own_stays_open_until_the_context_is_closed(tmp_path: Path) -> None:
    events: list[str] = []

    class Loader(PipesContextLoader):
        @contextmanager
        def load_context(self, params: Any) -> Iterator[PipesContextData]:
            events.append("loaded")
            yield {"run_id": params["id"]}  # type: ignore[typeddict-item]
            events.append("released")

    values = {"DAGSTER_PIPES_CONTEXT": {"id": "mine"}, "DAGSTER_PIPES_MESSAGES": {"path": str(tmp_path / "messages")}}
    loader = PipesMappingParamsLoader({name: encode_param(value) for name, value in values.items()})
    with PipesContext(loader, Loader(), PipesDefaultMessageWriter()) as context:
        assert context.run_id == "mine"
        assert context.retry_number == 0
        assert events == ["loaded"]
    assert events == ["loaded", "released"]
