"""The fault table of docs/reliability.md: every row names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "C": "tests/chunklog",
    "O": "tests/orchestration",
    "S": "tests/storage",
    "I": "integration_tests",
    "V": "tests/simulation",
    "": "",
}
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
FOUND = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", TEXT, flags=re.MULTILINE)
ROWS = {int(number): cell for number, cell in FOUND}


def named_in(cell: str) -> list[Path]:
    """`path` in the folder that the letter before it stands for; a letter alone is the whole folder."""
    files = [ROOT / FOLDERS[letter] / path for letter, path in re.findall(r"([A-Z]?) ?`([^`]+)`", cell)]
    return files + [ROOT / FOLDERS[letter] for letter in re.findall(r"(?:^|, )([A-Z])(?=,|$)", cell.strip())]


def test_the_table_has_all_rows() -> None:
    assert [int(number) for number, _ in FOUND] == list(range(1, len(FOUND) + 1))
    assert len(ROWS) >= 42


@pytest.mark.parametrize("number", ROWS)
def test_every_row_names_tests_that_exist(number: int) -> None:
    named = named_in(ROWS[number])
    assert named, ROWS[number]
    for path in named:
        files = [path] if path.is_file() else sorted(path.glob("**/test_*.py"))
        assert any(re.search(r"^ *def test_", file.read_text(encoding="utf-8"), re.MULTILINE) for file in files), path


def test_the_letters_are_explained_as_they_are_meant() -> None:
    for letter, folder in FOLDERS.items():
        assert not letter or re.search(rf"\b{letter} (stands )?for `{folder}`", " ".join(TEXT.split()))
