"""A canary goes in wherever credentials go in, and must come out nowhere."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from blobpipes.errors import InvalidOptionError
from blobpipes.orchestration.blob_store_reader import PipesBlobStoreMessageReader
from blobpipes.orchestration.context_injectors import PipesBlobStoreContextInjector
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.safe_options import checked_hints
from blobpipes.orchestration.session_place import parse_storage
from blobpipes.storage.open import open_store
from blobpipes.wire.context import encode_context
from tests.orchestration.jobs import Recorder, made, put_chunks, recorded_run

CANARY = "kanarienvogel"
OPTIONS = {"secret": CANARY, "client_kwargs": {"aws_secret_access_key": CANARY}}


def everything_shown(session: Any, recorder: Recorder) -> str:
    """All that a session shows of itself, writes to the store, or hands to the job."""
    store = open_store(session.url)
    stored = [store.get(info.key) for info in store.list()]
    objects = [session, session.context, session.message_handler, session.message_handler.inbox, session.report]
    params = [session.get_bootstrap_params(), session.get_bootstrap_env_vars(), session.get_bootstrap_cli_arguments()]
    parts = [*map(repr, objects), *map(str, objects), *map(str, params), *map(str, stored)]
    return "\n".join([*parts, json.dumps(session.report.to_dict()), session.report.summary(), recorder.text])


def test_storage_options_stay_in_this_process() -> None:
    context, recorder = recorded_run()
    with open_pipes_session(context, url="memory://canary", storage_options=OPTIONS) as session:
        put_chunks(session.message_reader_params, made())
        early = str(session.get_bootstrap_params()) + repr(session)
    assert CANARY not in early + everything_shown(session, recorder)
    assert session.report.verdict == "complete"


def test_a_session_of_which_nothing_came_shows_no_storage_options() -> None:
    context, recorder = recorded_run()
    with open_pipes_session(context, url="memory://canary", storage_options=OPTIONS, on_incomplete="warn") as session:
        pass
    assert CANARY not in everything_shown(session, recorder)
    assert session.report.verdict == "truncated"


def test_a_password_in_a_url_is_used_but_never_shown() -> None:
    url = f"sftp://me:{CANARY}@host/dir?interval=2s"
    reader, injector = PipesBlobStoreMessageReader(url), PipesBlobStoreContextInjector(url)
    storage = parse_storage(url, {"password": CANARY}, {})
    place = storage.session("one")
    assert CANARY in storage.base
    with reader.get_params() as params:
        assert params["blobpipes"]["url"].startswith("sftp://me@host/dir/")
        shown = [params, reader, injector, reader.no_messages_debug_text(), injector.no_messages_debug_text()]
        shown += [storage, place, storage.shown, place.url, place.official_params("key"), storage.identity]
        assert CANARY not in " ".join(map(str, shown)) + " ".join(map(repr, shown))


@pytest.mark.parametrize(
    "bad",
    [
        {"key": CANARY},
        {"aws_secret_access_key": CANARY},
        {"client_kwargs": {"aws_session_token": CANARY}},
        {"connection_string": CANARY},
        {"connectionString": CANARY},
        {"account_key": CANARY},
        {"sas_token": CANARY},
        {"token": CANARY},
        {"password": CANARY},
        {"endpoint_url": f"http://user:{CANARY}@host"},
        {"endpoint_url": f"http://host?sig={CANARY}"},
        {"list": [{"secret": CANARY}]},
        {"credential": object()},
    ],
)
def test_what_looks_like_a_credential_is_not_passed_on_and_not_shown(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError) as caught:
        PipesBlobStoreMessageReader("memory://x", pass_storage_options=bad)
    assert CANARY not in str(caught.value)
    assert "looks like a credential" in str(caught.value)


def test_what_is_no_credential_is_passed_on_with_both_params() -> None:
    safe = {"endpoint_url": "http://localhost:9000", "anon": True, "client_kwargs": {"region_name": "eu-1"}}
    context, _ = recorded_run()
    with open_pipes_session(context, url="memory://canary", pass_storage_options=safe) as session:
        for params in session.get_bootstrap_params().values():
            assert params["blobpipes"]["storage_options"] == safe
        put_chunks(session.message_reader_params)
    assert checked_hints({"token": "anon"}) == {"storage_options": {"token": "anon"}}
    assert checked_hints(None) == {}
    with pytest.raises(InvalidOptionError, match="not plain data"):
        checked_hints({"loop": object()})


def test_an_environment_full_of_secrets_does_not_get_into_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    context, _ = recorded_run(extras={"a": 1})
    assert CANARY.encode() not in encode_context(context.data)
    assert CANARY.encode() not in pickle.dumps(context.data)
