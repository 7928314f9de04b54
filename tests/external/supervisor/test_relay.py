"""One `opened` and one `closed` per run, whatever the program's own processes say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blobpipes.errors import FencedError
from blobpipes.external.channels import PipesMessageWriterChannel
from blobpipes.external.supervisor.endings import Ending
from blobpipes.external.supervisor.relay import Relay
from blobpipes.wire.messages import PipesMessage, closed, encode_message, log, opened
from tests.external.launching import methods


class Kept(PipesMessageWriterChannel):
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def write_message(self, message: PipesMessage) -> None:
        self.messages.append(json.loads(encode_message(message)))


class Lost(Kept):
    def write_message(self, message: PipesMessage) -> None:
        raise FencedError("another process has taken over")


WELL = Ending(0)


def relayed(*messages: PipesMessage, ending: Ending = WELL) -> list[dict[str, Any]]:
    channel = Kept()
    relay = Relay(channel, lambda: "a")
    relay.open({"supervisor": {}})
    for message in messages:
        relay.take(encode_message(message))
    relay.close(ending)
    return channel.messages


def failed(name: str) -> PipesMessage:
    return closed({"message": f"{name}: no\n", "stack": ["a frame\n"], "name": name, "cause": None, "context": None})


def test_the_programs_own_ends_are_merged_into_ours() -> None:
    assert methods(relayed(opened(), log("x"), closed())) == ["opened", "log", "closed"]


def test_what_a_library_says_of_itself_is_not_lost() -> None:
    sent = relayed(opened({"cluster": "c1"}))
    assert "c1" in sent[1]["params"]["message"]


def test_an_exception_that_the_program_closed_with_is_that_of_the_run() -> None:
    for code in (0, 1):
        assert relayed(failed("ValueError"), ending=Ending(code))[-1]["params"]["exception"]["name"] == "ValueError"


def test_of_several_exceptions_the_first_is_that_of_the_run_and_the_others_are_logged() -> None:
    sent = relayed(failed("ValueError"), failed("KeyError"), closed())
    assert methods(sent) == ["opened", "log", "closed"]
    assert "KeyError: no" in sent[1]["params"]["message"]
    assert sent[1]["params"]["level"] == "ERROR"
    assert sent[-1]["params"]["exception"]["name"] == "ValueError"


def test_a_signal_after_an_exception_tells_both() -> None:
    exception = relayed(failed("ValueError"), ending=Ending(-9))[-1]["params"]["exception"]
    assert (exception["message"], exception["cause"]["name"]) == ("killed by SIGKILL", "ValueError")


def test_once_nothing_can_be_sent_it_is_told_once_and_raised_at_the_end() -> None:
    told: list[Exception] = []
    relay = Relay(Lost(), lambda: "a", told.append)
    relay.take(encode_message(log("x")))
    relay.take(b"bad")
    assert len(told) == 1
    with pytest.raises(FencedError):
        relay.close(Ending(0))


@pytest.mark.parametrize(
    ("ending", "exit_code", "name", "message"),
    [
        (Ending(3), 3, "ProcessFailed", "exited with code 3"),
        (Ending(-15), 143, "ProcessKilled", "killed by SIGTERM"),
        (Ending(-9, ran_out_of_memory=True), 137, "ProcessKilled", "killed by the kernel: out of memory"),
        (Ending(137, ran_out_of_memory=True), 137, "ProcessFailed", "exited with code 137: the kernel killed a "),
        (
            Ending(-9, patience=6.0),
            137,
            "ProcessKilled",
            "killed by SIGKILL, because SIGTERM did not end it within 6 s",
        ),
        (Ending(-40), 168, "ProcessKilled", "killed by signal 40"),
        (Ending(127, problem="command not found: 'x'"), 127, "ProcessFailed", "command not found: 'x'"),
    ],
)
def test_every_ending_has_its_words(ending: Ending, exit_code: int, name: str, message: str) -> None:
    exception = ending.exception(None)
    assert exception is not None
    assert (ending.exit_code, exception["name"]) == (exit_code, name)
    assert exception["message"].startswith(message)


def test_a_normal_end_is_no_exception() -> None:
    assert Ending(0).exception(None) is None
