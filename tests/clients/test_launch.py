from __future__ import annotations

import pytest

from blobpipes.clients.endings import how_it_ended
from blobpipes.clients.launch import Command, parse_command


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, "python exited with code 1"),
        (-9, "python was killed by SIGKILL"),
        (-15, "python was killed by SIGTERM"),
        (-77, "python was killed by signal 77"),
        (137, "python exited with code 137 (a shell's word for killed by SIGKILL)"),
        (255, "python exited with code 255"),
    ],
)
def test_an_exit_code_is_said_in_words(code: int, said: str) -> None:
    assert how_it_ended("/usr/bin/python", code)[0] == said


def test_what_is_killed_gets_a_remedy_that_names_memory() -> None:
    for code in (-9, 137):
        assert "memory" in (how_it_ended("job", code)[1] or "")
    assert how_it_ended("job", -15)[1] is None


def test_a_command_is_split_but_nothing_in_it_is_expanded() -> None:
    assert parse_command("job 'a b' $HOME *.py; rm") == ("job", "a b", "$HOME", "*.py;", "rm")


def test_a_command_shows_neither_arguments_nor_environment() -> None:
    shown = repr(Command(("job", "--token=geheim"), env={"PASSWORD": "geheim"}))
    assert "geheim" not in shown
