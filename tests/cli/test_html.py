"""`blobpipes show --html`: the page as a program reads it; integration_tests/browser has what a browser makes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from blobpipes.chunklog.header import Flag
from blobpipes.cli.page import collecting
from blobpipes.cli.page.collecting import ChunkFact, Mark, Row, Rows
from blobpipes.cli.page.plots import lag_plot, rate_plot, requests_plot, span_of, timeline
from blobpipes.external.message_writers import PipesBlobStoreMessageWriter
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.wire.messages import asset_materialization, closed, custom, external_stream, log, opened
from tests.cli.conftest import Cli
from tests.cli.sessions import CREATED, StoredSession, complete, failed, killed, raised, running

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>\" onclick=\"x <!-- ]]>"


class Page(HTMLParser):
    """The elements of a page, its text, and what its log holds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._in.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._in and self._in[-1] == tag:
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if self._in == ["script"]:
            self.scripts.append(data)
        elif not self._in:
            self.text += data

    @property
    def log(self) -> list[tuple[str, str]]:
        """Kind and text of each row."""
        data = json.loads(self.scripts[0])
        return [(data["kinds"][kind], text) for _, kind, text in data["rows"]]


@pytest.fixture
def page(cli: Cli, tmp_path: Path) -> Callable[..., Page]:
    def make(name: str = "s", code: int = 0) -> Page:
        path = tmp_path / "page.html"
        ended = cli("show", tmp_path, name, "--html", path)
        assert (ended.code, ended.err) == (code, "")
        assert re.fullmatch(rf"{re.escape(str(path))}, [0-9.]+ [KM]iB: \w+\n", ended.out)
        return Page(path)

    return make


Make = Callable[..., Page]


def test_a_page_holds_the_verdict_the_facts_the_results_the_checks_and_the_log(tmp_path: Path, page: Make) -> None:
    complete(tmp_path, "s")
    made = page()
    for text in (
        "complete",
        "Every message arrived.",
        "run-1",
        "2013-02",
        "24,951",
        "few_cancellations",
        "failed (warning)",
    ):
        assert text in made.text, text
    assert made.log == [
        ("session", "the job has opened its messages"),
        ("INFO", "reading"),
        ("stdout", "half a line"),
        ("stdout", "another"),
        ("check", "row_count passed  rows 24,951"),
        ("check", "few_cancellations failed (warning)  percent 5.05"),
        ("result", "flights materialized, 2 values"),
        ("custom", '{"answer": [42]}'),
        ("session", "the job has closed its messages"),
    ]
    ids = {attrs.get("id") for _, attrs in made.tags}
    assert {"timeline", "plot-rate", "plot-lag", "plot-requests", "filter", "kinds", "view"} <= ids


@pytest.mark.parametrize(
    ("write", "state", "code", "text"),
    [
        (running, "silent", 0, "the process may be dead"),
        (raised, "failed", 1, "ValueError: no rows"),
        (killed, "truncated", 65, "without closing"),
    ],
)
def test_every_state_has_its_page(
    tmp_path: Path, page: Make, write: Callable[[Path, str], StoredSession], state: str, code: int, text: str
) -> None:
    write(tmp_path, "s")
    made = page(code=code)
    assert state in made.text
    assert text in made.text


def test_a_session_without_a_chunk_has_a_page_that_says_so(tmp_path: Path, page: Make) -> None:
    StoredSession(tmp_path, "s").describe()
    made = page()
    assert "No message has come yet." in made.text
    assert "The store tells no times." in made.text
    assert made.log == []


def test_an_official_writers_session_has_a_page_and_no_lag(tmp_path: Path, page: Make) -> None:
    StoredSession(tmp_path, "s").official_chunk(opened(), log("by the official package", "INFO")).official_chunk(
        closed()
    )
    made = page()
    assert "these chunks do not say when they were cut" in made.text
    assert ("INFO", "by the official package") in made.log
    assert "plot-rate" in {attrs.get("id") for _, attrs in made.tags}


def test_damage_is_shown(tmp_path: Path, page: Make) -> None:
    complete(tmp_path, "s")
    (tmp_path / "s/2.json").unlink()
    made = page(code=65)
    assert "chunk 2 is missing" in made.text
    assert any(kind == "problem" and "chunk 2 is missing" in text for kind, text in made.log)


def test_an_archived_session_has_the_same_page(cli: Cli, tmp_path: Path, page: Make) -> None:
    complete(tmp_path, "s")
    before = page()
    cli("archive", tmp_path)
    after = page()
    assert after.log == before.log
    pictures = re.compile(r"<svg.*?</svg>", re.DOTALL)
    assert pictures.findall(after.source) == pictures.findall(before.source) != []


# --- safety ------------------------------------------------------------------------------------------


def hostile(root: Path) -> None:
    session = StoredSession(root, "s").describe(run_id=HOSTILE, job_name=HOSTILE, partition_key=HOSTILE)
    table = {"records": [{HOSTILE: HOSTILE}], "schema": [{"name": HOSTILE, "type": "string"}]}
    metadata: dict[str, Any] = {
        HOSTILE: HOSTILE,
        "link": {"raw_value": f"https://example.com/{HOSTILE}", "type": "url"},
        "script": {"raw_value": "javascript:window.hacked=3", "type": "url"},
        "json": {"raw_value": {HOSTILE: [HOSTILE]}, "type": "json"},
        "table": {"raw_value": table, "type": "table"},
    }
    session.chunk(
        opened(),
        log(HOSTILE, "ERROR"),
        external_stream("stderr", HOSTILE + "\n\x1b[31mred\x1b[0m \u202ereversed \ud800 lone\n"),
        custom({HOSTILE: HOSTILE}),
        asset_materialization(HOSTILE, data_version=HOSTILE, metadata=metadata),
        marks=[Flag.OPEN],
    )
    session.chunk(failed(HOSTILE), marks=[Flag.FAIL]).seal_by_reader()


def test_what_a_job_says_is_text_and_nothing_else(tmp_path: Path, page: Make) -> None:
    hostile(tmp_path)
    made = page(code=1)
    assert [tag for tag, _ in made.tags].count("script") == 2
    assert len(made.scripts) == 2
    assert not {"img", "iframe", "link", "object", "form"} & {tag for tag, _ in made.tags}
    assert not [name for _, attrs in made.tags for name in attrs if name.startswith("on")]
    assert {attrs["href"] for tag, attrs in made.tags if tag == "a"} == {f"https://example.com/{HOSTILE}"}
    assert ("ERROR", HOSTILE) in made.log
    assert made.text.count("window.hacked = 1") > 5
    assert "\x1b" not in made.source
    assert "\u202e" not in made.source


def test_the_page_allows_its_own_script_and_no_network(tmp_path: Path, page: Make) -> None:
    complete(tmp_path, "s")
    made = page()
    [policy] = [
        attrs["content"] or "" for tag, attrs in made.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    own = base64.b64encode(hashlib.sha256(made.scripts[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{own}';" in policy
    assert "unsafe" not in policy
    assert not [attrs for _, attrs in made.tags if attrs.get("src") or attrs.get("style")]


# --- bounds ------------------------------------------------------------------------------------------


def test_of_very_many_rows_the_first_and_the_last_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "FIRST_ROWS", 3)
    monkeypatch.setattr(collecting, "LAST_ROWS", 4)
    rows = Rows()
    for number in range(30):
        rows.add(Row(float(number), "INFO", str(number)))
    assert [row.text for row in rows.all()] == ["0", "1", "2", "23 lines left out of this page", "26", "27", "28", "29"]
    assert rows.counts["INFO"] == 30


def test_very_long_lines_count_by_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "FIRST_SIZE", 100)
    monkeypatch.setattr(collecting, "LAST_SIZE", 100)
    rows = Rows()
    for number in range(30):
        rows.add(Row(float(number), "INFO", f"{number:30}"))
    texts = [row.text.strip() for row in rows.all()]
    assert texts == ["0", "1", "2", "3", "23 lines left out of this page", "27", "28", "29"]


def test_output_without_an_end_of_line_is_broken_and_kept(tmp_path: Path, page: Make) -> None:
    session = StoredSession(tmp_path, "s").describe()
    session.chunk(
        opened(), external_stream("stdout", "x" * 30_000), external_stream("stdout", "end"), marks=[Flag.OPEN]
    )
    session.chunk(closed(), marks=[Flag.END])
    texts = [text for kind, text in page().log if kind == "stdout"]
    assert "".join(texts) == "x" * 30_000 + "end"


def test_pictures_stay_small_however_much_there_is() -> None:
    chunks = [ChunkFact(n, 1000, 50, CREATED + n, float(n), "w") for n in range(1, 20_000)]
    marks = [Mark(CREATED + n, kind, "text", 3) for n in range(20_000) for kind in ("ERROR", "WARNING", "result")]
    span = span_of(CREATED, chunks)
    assert span is not None
    pictures = [
        timeline(span, chunks, marks),
        rate_plot(span, chunks),
        lag_plot(span, chunks),
        requests_plot(span, chunks),
    ]
    assert all(picture is not None and len(picture) < 120_000 for picture in pictures)


def test_rates_are_those_of_the_chunks() -> None:
    chunks = [ChunkFact(n, 1000, 50, CREATED + 10.0 * n, 10.0 * n, "w") for n in range(1, 101)]
    span = span_of(CREATED, chunks)
    assert span is not None
    drawn = rate_plot(span, chunks)
    points = re.findall(r'<polyline class="curve" points="([^"]+)"', drawn)[0].split()
    heights = {point.split(",")[1] for point in points}
    assert len(heights) == 1  # five a second, all the time
    assert ">6</text>" in drawn


def test_a_late_chunk_shows_in_the_lag() -> None:
    late = {5: 7.0}
    chunks = [ChunkFact(n, 10, 1, CREATED + 10 * n + late.get(n, 0.0), 10.0 * n, "w") for n in range(1, 11)]
    span = span_of(CREATED, chunks)
    assert span is not None
    drawn = lag_plot(span, chunks) or ""
    assert ">8</text>" in drawn  # the scale: 7 seconds fit below it
    heights = sorted(float(y) for y in re.findall(r'cy="([0-9.]+)"', drawn))
    assert heights[0] < heights[1] == heights[-1]


def curve(drawn: str) -> list[float]:
    """The heights of a plot's points; less is higher."""
    points = re.findall(r'<polyline class="curve" points="([^"]+)"', drawn)[0].split()
    return [float(point.split(",")[1]) for point in points]


def test_a_readers_seal_is_no_put_of_the_job() -> None:
    seal = ChunkFact(2, 10, 0, CREATED + 9, None, "reader", by_job=False)
    chunks = [ChunkFact(1, 10, 1, CREATED + 1, 0.0, "w"), seal]
    span = span_of(CREATED, chunks)
    assert span is not None
    heights = curve(requests_plot(span, chunks))
    assert heights[-1] == heights[len(heights) // 2] < heights[0]


def test_requests_are_those_of_the_ledger_where_the_job_keeps_one() -> None:
    plain = [ChunkFact(n, 10, 1, CREATED + n, 0.0, "w") for n in (1, 2)]
    repeated = [each._replace(asked=3 * each.number) for each in plain]
    span = span_of(CREATED, plain)
    assert span is not None
    assert "puts by the job so far" in requests_plot(span, plain)
    drawn = requests_plot(span, repeated)
    assert "requests by the job so far" in drawn
    assert ">6</text>" in drawn


def test_both_halves_are_priced(tmp_path: Path, page: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLOBPIPES_PRICES", raising=False)
    url = f"file://{tmp_path}?interval=50ms"
    with (
        open_pipes_session(RunContext(), url=url, session="s") as session,
        PipesBlobStoreMessageWriter().open(session.message_reader_params) as channel,
    ):
        channel.write_message(opened())
        channel.write_message(closed())
    made = page()
    assert "$0 on disk, memory or a machine of your own" in made.text
    assert re.search(r"the job\$0: [0-9]+ requests? \([0-9]+ put", made.text)
    assert re.search(r"the orchestration sideabout \$0: [0-9]+ requests \(", made.text)
    assert "the orchestration side's half is estimated" in made.text


def test_an_official_jobs_half_is_a_put_for_each_chunk_at_least(tmp_path: Path, page: Make) -> None:
    StoredSession(tmp_path, "s").official_chunk(opened()).official_chunk(closed())
    assert re.search(r"the job\$0: 2 requests \(2 put\)", page().text)
    assert "the job keeps no ledger" in page().text


# --- the file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing/page.html", "there is no folder"), (".", "is a folder"), ("file/page.html", "there is no folder")],
)
def test_a_path_that_cannot_be_written_is_said_before_the_store_is_asked(
    cli: Cli, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "file").write_text("")
    ended = cli("show", "file:///nowhere/at/all", "--html", tmp_path / name)
    assert ended.code == 64
    assert said in ended.err
    assert "remedy:" in ended.err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_said(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    ended = cli("show", tmp_path, "s", "--html", locked / "page.html")
    assert (ended.code, "cannot be written" in ended.err) == (64, True)


def test_a_full_disk_leaves_what_was_there(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complete(tmp_path, "s")
    path = tmp_path / "page.html"
    path.write_text("the page of yesterday")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fdopen", full)
    ended = cli("show", tmp_path, "s", "--html", path)
    assert ended.code == 64
    assert "No space left on device" in ended.err
    assert path.read_text() == "the page of yesterday"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page.html", "s"]


def test_a_session_that_is_not_there_makes_no_page(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    assert cli("show", tmp_path, "other", "--html", tmp_path / "page.html").code == 66
    assert not (tmp_path / "page.html").exists()


def test_programs_are_told_where_the_page_is(cli: Cli, tmp_path: Path) -> None:
    complete(tmp_path, "s")
    [event] = cli("show", tmp_path, "s", "--html", tmp_path / "page.html", "--json").events
    assert (event["event"], event["state"], event["path"]) == ("page", "complete", str(tmp_path / "page.html"))
    assert event["bytes"] == (tmp_path / "page.html").stat().st_size
