"""docs/cli.md says what the commands say of themselves. Its examples are run by tests/docs."""

from __future__ import annotations

import re

import pytest

from blobpipes.cli import events, exit_codes
from blobpipes.cli.main import BROKEN_PIPE, COMMANDS
from tests.cli.help_pages import PAGE, help_page, with_help_pages

TEXT = PAGE.read_text(encoding="utf-8")


def words(text: str) -> str:
    """Python's versions break lines in different places."""
    return " ".join(text.split())


def test_the_help_pages_are_those_of_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """If not: python -m tests.cli.help_pages"""
    monkeypatch.setenv("COLUMNS", "80")
    assert words(TEXT) == words(with_help_pages(TEXT))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_section(command: str) -> None:
    assert f"| [`blobpipes {command}`](#blobpipes-{command}) | {COMMANDS[command]} |" in TEXT
    assert f"### blobpipes {command}\n" in TEXT
    assert help_page(command).splitlines()[0] in TEXT


def test_every_event_and_every_exit_code_is_in_its_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) == set(events.KINDS)
    codes = {value for value in vars(exit_codes).values() if isinstance(value, int)} | {BROKEN_PIPE}
    section = TEXT.partition("## Exit codes")[2].partition("\n## ")[0]
    documented = {
        int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for code in cell.split(",")
    }
    assert documented == codes
