"""The page of `blobpipes show --html` in a real browser: what a person sees, types, clicks and scrolls there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blobpipes.chunklog.header import Flag
from blobpipes.cli.main import main
from blobpipes.wire.messages import closed, external_stream, log, opened
from integration_tests.browser.chromium import Browser, browser_program
from tests.cli.sessions import StoredSession, complete, failed, killed, raised
from tests.cli.test_html import HOSTILE, hostile

COUNT = 100_000


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Missing: skipped with the reason, except in CI."""
    program = browser_program()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must open the pages, but there is no chromium")
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with Browser(program, tmp_path_factory.mktemp("browser")) as running:
        yield running


def opened_page(browser: Browser, root: Path, name: str) -> Path:
    path = root / f"{name}.html"
    main(["show", str(root), name, "--html", str(path)])
    browser.open(path.as_uri())
    return path


def lines(browser: Browser) -> list[str]:
    """The rows of the log that are in the document: kind and text."""
    found: list[str] = browser.evaluate(
        "[...document.querySelectorAll('.row')].map(row => "
        "row.querySelector('.tag').textContent + ' ' + row.querySelector('.text').textContent)"
    )
    return found


def is_visible(browser: Browser, selector: str) -> bool:
    """In the window, and not covered by anything."""
    return bool(
        browser.evaluate(
            f"(() => {{const e = document.querySelector('{selector}'); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect();"
            " const top = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);"
            " return b.width > 0 && b.height > 0 && (top === e || e.contains(top) || top.contains(e))})()"
        )
    )


def test_a_person_sees_the_verdict_the_pictures_the_results_and_the_log(browser: Browser, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    path = opened_page(browser, tmp_path, "s")
    assert browser.text("#verdict") == "✔ complete"
    for selector in ("#verdict", "#timeline", "#plot-rate", "#plot-lag", "#plot-requests", "#filter", "#view .row"):
        assert is_visible(browser, selector), selector
    assert "24,951" in browser.text("#results-section")
    assert "few_cancellations" in browser.text("#checks-section")
    assert browser.text("#count") == "9 lines"
    assert lines(browser)[:3] == ["session the job has opened its messages", "INFO reading", "stdout half a line"]
    assert browser.requested == [path.as_uri()]  # the page itself, and nothing else from anywhere
    assert browser.complaints == []


def test_text_and_levels_filter_the_log(browser: Browser, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    opened_page(browser, tmp_path, "s")
    browser.type("#filter", "ROW")
    browser.wait_until("document.querySelector('#count').textContent === '1 of 9 lines'")
    assert lines(browser) == ["check row_count passed  rows 24,951"]
    assert browser.evaluate("[...document.querySelectorAll('mark')].map(m => m.textContent)") == ["row", "row"]
    browser.type("#filter", "")
    browser.wait_until("document.querySelector('#count').textContent === '9 lines'")
    browser.click("#kinds input[value=check]")
    browser.wait_until("document.querySelector('#count').textContent === '7 of 9 lines'")
    assert not [line for line in lines(browser) if line.startswith("check")]
    browser.click("#kinds input[value=check]")
    browser.wait_until("document.querySelector('#count').textContent === '9 lines'")


def test_a_click_on_a_line_shows_all_of_it(browser: Browser, tmp_path: Path) -> None:
    raised(tmp_path, "s")
    opened_page(browser, tmp_path, "s")
    assert browser.text("#verdict") == "✘ failed"
    assert "ValueError: no rows" in browser.text(".trace")
    assert browser.evaluate("document.querySelector('#detail').hidden") is True
    browser.click(".row.k-session:last-child")
    browser.wait_until("!document.querySelector('#detail').hidden")
    assert "ValueError: no rows" in browser.text("#detail")
    browser.click(".row.chosen")
    browser.wait_until("document.querySelector('#detail').hidden")


def test_a_truncated_session_says_so(browser: Browser, tmp_path: Path) -> None:
    killed(tmp_path, "s")
    opened_page(browser, tmp_path, "s")
    assert browser.text("#verdict") == "✘ truncated"
    assert "without closing" in browser.text(".verdict")


def test_nothing_that_a_job_said_acts_in_the_page(browser: Browser, tmp_path: Path) -> None:
    hostile(tmp_path)
    path = opened_page(browser, tmp_path, "s")
    assert browser.evaluate("window.hacked") is None
    assert f"ERROR {HOSTILE}" in lines(browser)
    browser.type("#filter", "<img src=x")
    browser.wait_until("document.querySelectorAll('mark').length > 0")
    browser.click(".row")
    browser.wait_until("!document.querySelector('#detail').hidden")
    assert browser.evaluate("window.hacked") is None
    assert browser.evaluate("document.images.length") == 0
    assert browser.evaluate("document.querySelectorAll('[onclick], [onerror]').length") == 0
    assert browser.requested == [path.as_uri()]
    assert browser.complaints == []  # the policy had nothing to refuse


def test_the_pages_own_policy_would_stop_a_script(browser: Browser, tmp_path: Path) -> None:
    """The second line of defence, tried on a page whose first one was removed."""
    complete(tmp_path, "s")
    path = opened_page(browser, tmp_path, "s")
    broken = tmp_path / "broken.html"
    page = path.read_text(encoding="utf-8")
    broken.write_text(page.replace("</main>", "<script>window.hacked = 1</script></main>"), encoding="utf-8")
    browser.open(broken.as_uri())
    assert browser.evaluate("window.hacked") is None
    assert browser.text("#count") == "9 lines"
    assert any("Content Security Policy" in text for text in browser.complaints)


def test_it_follows_the_persons_light_or_dark(browser: Browser, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    opened_page(browser, tmp_path, "s")
    seen = {}
    for scheme in ("light", "dark"):
        browser.colours(scheme)
        paper = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
        ink = "getComputedStyle(document.querySelector('h1')).color.match(/[0-9]+/g).map(Number)"
        seen[scheme] = (sum(browser.evaluate(paper)), sum(browser.evaluate(ink)))
        picture = tmp_path / f"{scheme}.png"
        browser.picture(picture)
        assert picture.stat().st_size > 10_000
    browser.colours("light")
    assert seen["light"][0] > 700 > 150 > seen["light"][1]
    assert seen["dark"][0] < 100 < 600 < seen["dark"][1]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of 100,000 messages."""
    root = tmp_path_factory.mktemp("large")
    session = StoredSession(root, "s").describe().chunk(opened(), marks=[Flag.OPEN])
    for start in range(0, COUNT, 1000):
        numbers = range(start, start + 1000)
        session.chunk(
            *(log(f"step {number} of {COUNT}", "ERROR" if number % 1000 == 7 else "INFO") for number in numbers)
        )
    session.chunk(
        external_stream("stdout", "the last line\n"), failed("at the end"), marks=[Flag.FAIL]
    ).seal_by_reader()
    return root


def test_a_hundred_thousand_messages_are_filtered_and_scrolled(browser: Browser, large: Path) -> None:
    path = opened_page(browser, large, "s")
    assert path.stat().st_size < 8 << 20
    assert browser.text("#count") == "100,003 lines"
    assert len(lines(browser)) < 100  # only what is seen is in the document
    browser.evaluate("document.querySelector('#view').scrollTop = 1e9")
    browser.wait_until("[...document.querySelectorAll('.row')].some(row => row.textContent.includes('the last line'))")
    assert len(lines(browser)) < 100
    browser.type("#filter", "step 77007 ")
    browser.wait_until("document.querySelector('#count').textContent === '1 of 100,003 lines'")
    assert lines(browser) == [f"ERROR step 77007 of {COUNT}"]
    browser.type("#filter", "")
    browser.wait_until("document.querySelector('#count').textContent === '100,003 lines'")
    browser.click("#kinds input[value=INFO]")
    browser.wait_until("document.querySelector('#count').textContent === '103 of 100,003 lines'")
    assert browser.complaints == []


def test_a_click_on_the_timeline_goes_to_that_time(browser: Browser, large: Path) -> None:
    opened_page(browser, large, "s")
    browser.evaluate("document.querySelector('#timeline').scrollIntoView({block: 'center'})")
    box = browser.evaluate(
        "(() => {const b = document.querySelector('#timeline').getBoundingClientRect(); return [b.x, b.y, b.width]})()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        browser.ask(
            "Input.dispatchMouseEvent", type=kind, x=box[0] + box[2] * 0.9, y=box[1] + 60, button="left", clickCount=1
        )
    browser.wait_until("document.querySelector('#view').scrollTop > 1e6")
    shown = [int(line.split()[2]) for line in lines(browser) if " step " in line]
    assert 80_000 < shown[0] < 99_000


def test_an_official_writers_session_and_one_without_messages_have_pages(browser: Browser, tmp_path: Path) -> None:
    StoredSession(tmp_path, "official").official_chunk(opened(), log("hello", "INFO")).official_chunk(closed())
    StoredSession(tmp_path, "empty").describe()
    opened_page(browser, tmp_path, "official")
    assert browser.text("#verdict") == "✔ complete"
    assert "INFO hello" in lines(browser)
    opened_page(browser, tmp_path, "empty")
    assert browser.text("#verdict") == "· waiting"
    assert browser.text("#count") == "0 lines"
    assert browser.complaints == []
