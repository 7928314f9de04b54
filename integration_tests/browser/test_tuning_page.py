"""The page and the picture of `blobpipes tune` in a real browser: what must be seen is seen, and nothing is fetched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blobpipes.cli.main import main
from integration_tests.browser.chromium import Browser, browser_program

JOB = ["tune", "--hours", "0.1", "--rate", "0.5", "--jobs", "1000", "--interval", "5s"]

SEEN = """[...document.querySelectorAll('h1, h2, p, code, td, th, footer, svg text')].filter(each => {
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    const inside = box.left >= 0 && box.right <= document.documentElement.clientWidth + 1;
    return box.width > 0 && box.height > 0 && inside && style.visibility === 'visible' && style.opacity > 0;
}).map(each => each.textContent.trim())"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Missing: skipped with the reason, except in CI."""
    program = browser_program()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must open the pages, but there is no chromium")
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with Browser(program, tmp_path_factory.mktemp("browser"), width=1000) as running:
        yield running


def test_a_person_sees_the_front_today_the_recommended_interval_and_the_line(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "tuning.html"
    assert main([*JOB, "--html", str(path)]) == 0
    browser.open(path.as_uri())
    seen: list[str] = browser.evaluate(SEEN)
    together = "\n".join(seen)
    for words in (
        "A job of 0.1 h, 0.5 messages a second",
        "The line to paste: ?interval=",
        "blobpipes, the Pareto front",
        "the official pair",
        "US dollars a month of 1,000 jobs, Amazon S3 Standard",
        "seconds until 95 % of the messages are there",
        "list prices of 2026-11-22",
    ):
        assert words in together, words
    assert any(text.startswith("today: 5 s, $") for text in seen)  # in the picture
    assert any(text.startswith("recommended: ") for text in seen)
    assert {"today", "recommended"} <= set(seen)  # in the table
    assert browser.requested == [path.as_uri()]  # the page itself, and nothing else from anywhere
    assert browser.complaints == []


def test_the_picture_is_drawn_in_the_page_from_edge_to_edge(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "tuning.html"
    main([*JOB, "--html", str(path)])
    browser.open(path.as_uri())
    width, height, lines = browser.evaluate(
        "(() => {const b = document.querySelector('figure svg').getBoundingClientRect();"
        " return [b.width, b.height, document.querySelectorAll('figure svg path').length]})()"
    )
    assert width > 700
    assert height > 350
    assert lines > 20  # axes, grid, front, points


def test_the_png_is_an_image_that_a_browser_shows(browser: Browser, tmp_path: Path) -> None:
    picture = tmp_path / "tuning.png"
    assert main([*JOB, "--png", str(picture)]) == 0
    (tmp_path / "frame.html").write_text(f'<!doctype html><img src="{picture.as_uri()}">')
    browser.open((tmp_path / "frame.html").as_uri())
    shown = browser.wait_until(
        "(() => {const i = document.querySelector('img'); return i.complete && [i.naturalWidth, i.naturalHeight]})()"
    )
    assert shown == [1032, 624]
