from __future__ import annotations

import pytest

from tests.terraform.module_pages import FOLDER, MODULES, blocks, with_tables


@pytest.mark.parametrize("module", MODULES)
def test_the_tables_on_a_modules_page_are_what_its_files_say(module: str) -> None:
    text = (FOLDER / module / "README.md").read_text(encoding="utf-8")
    assert with_tables(module, text) == text, "run `python -m tests.terraform.module_pages`"


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("kind", ["variable", "output"])
def test_every_variable_and_output_says_what_it_is(module: str, kind: str) -> None:
    found = dict(blocks(module, kind))
    assert "url" in found or "name" in found
    assert [name for name, fields in found.items() if not fields.get("description")] == []
