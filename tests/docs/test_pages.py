"""Every block of code in README.md, docs/ and examples/ does what the page says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import RUN, Block, Reader, blocks_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/**/*.md"))]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    environment = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))  # what the page starts finds this checkout
    yield Reader(tmp_path)
    os.environ.clear()  # a page may set variables; other tests must not see them
    os.environ.update(environment)


def follow(reader: Reader, text: str) -> None:
    page = reader.folder / "page.md"
    page.write_text(text, encoding="utf-8")
    for block in blocks_of(page):
        reader.follow(block)


@pytest.mark.timeout(400)  # a page starts dozens of processes, and the machine may do other things meanwhile
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_keeps_its_word(page: Path, reader: Reader) -> None:
    for block in blocks_of(page):
        reader.follow(block)


def test_no_fenced_block_of_any_page_is_overlooked() -> None:
    """A fence that the pattern misses would be a block that nobody runs."""
    for page in PAGES:
        fences = sum(line.lstrip().startswith("```") for line in page.read_text(encoding="utf-8").splitlines())
        assert len(list(blocks_of(page))) * 2 == fences, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_every_page_that_the_code_sends_people_to_is_there() -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py"))]
    named = {page for source in sources for page in re.findall(r"docs/[\w/-]+\.md", source)}
    assert "docs/guide/url.md" in named
    assert [page for page in sorted(named) if not (ROOT / page).exists()] == []


# --- the reader itself --------------------------------------------------------------------------------


def test_python_blocks_share_a_namespace(reader: Reader) -> None:
    follow(reader, "```python\nx = 1\n```\ntext\n```python\nassert x == 1\ny = x + 1\n```\n")
    assert reader.namespace["y"] == 2


def test_a_failing_python_block_shows_the_line_of_the_page(reader: Reader) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        follow(reader, "# Title\n\n```python\nx = 1\nx / 0\n```\n")
    assert caught.traceback[-1].lineno + 1 == 5
    assert Path(caught.traceback[-1].path).name == "page.md"


def test_a_failing_command_fails_the_page(reader: Reader) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:2 ended with status 3"):
        follow(reader, "```bash\n(exit 3)\ntrue\n```\n")


def test_a_console_block_must_print_what_it_shows(reader: Reader) -> None:
    follow(reader, "```console\n$ echo one two\none ...\n$ true\n$ (echo no; exit 1)\nno\n```\n")
    with pytest.raises(AssertionError, match="promises"):
        follow(reader, "```console\n$ echo one\ntwo\n```\n")
    with pytest.raises(AssertionError, match="`false` ended with status 1"):
        follow(reader, "```console\n$ false\n```\n")


def test_a_file_block_is_written_and_an_output_block_is_compared(reader: Reader) -> None:
    page = "<!-- file: job.py -->\n```python\nprint('from a job')\n```\n```bash\npython job.py\n```\n"
    follow(reader, page + "<!-- output -->\n```text\nfrom a ...\n```\n")
    with pytest.raises(AssertionError, match="from the moon"):
        follow(reader, page + "<!-- output -->\n```text\nfrom the moon\n```\n")


def test_a_setup_comment_is_run_and_a_skipped_block_is_not(reader: Reader) -> None:
    follow(reader, "<!-- setup:\nx = 5\n-->\n<!-- skip: costs money -->\n```python\nx = 6\n```\n")
    assert reader.namespace["x"] == 5


def test_a_block_cannot_be_skipped_without_a_reason(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="without a reason"):
        follow(reader, "<!-- skip -->\n```python\n1 / 0\n```\n")


@pytest.mark.parametrize("language", ["sh", "py", "shell"])
def test_a_language_that_looks_run_but_is_not_is_refused(reader: Reader, language: str) -> None:
    with pytest.raises(AssertionError, match="or it is not run"):
        follow(reader, f"```{language}\necho\n```\n")


def test_an_indented_block_is_run_too(reader: Reader) -> None:
    follow(reader, "1. First\n\n   ```python\n   x = 3\n   ```\n")
    assert reader.namespace["x"] == 3


def test_the_pages_hold_blocks_to_run() -> None:
    found: list[Block] = [block for page in PAGES for block in blocks_of(page) if block.language in RUN]
    assert found
