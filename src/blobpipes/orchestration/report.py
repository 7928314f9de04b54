"""What became of a session: a verdict and its evidence, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Final, Literal, TypeAlias

from blobpipes.cost.bill import Cost, Ledger, Region, price
from blobpipes.cost.price_files import load_prices
from blobpipes.cost.prices import PriceTable
from blobpipes.orchestration.inbox import Inbox, WriterState
from blobpipes.orchestration.problems import SessionProblem
from blobpipes.storage.usage import Usage
from blobpipes.wire.exceptions import PipesException
from blobpipes.wire.jsonable import plain

Verdict: TypeAlias = Literal["complete", "failed", "truncated", "refused", "unreachable"]

_WORST_FIRST: Final[tuple[Verdict, ...]] = ("refused", "unreachable", "truncated", "failed", "complete")


@dataclass(frozen=True, slots=True)
class WriterReport:
    """How it ended for one of the external processes that write, or for those in its place after restarts."""

    verdict: Verdict
    detail: str  # one sentence for people
    opened: int  # processes that opened; more than 1 after a restart
    closed: bool
    exception: PipesException | None  # what the last of them closed with
    missing: int = 0  # messages known to be lost
    last_sequence: Mapping[str, int] = field(default_factory=dict)  # process (stream id) to its last message's number


@dataclass(frozen=True, slots=True, kw_only=True)
class PipesSessionReport:
    """What became of a session.

    `complete`: every message arrived, and the job closed normally. `failed`: every message arrived, the last
    one with the job's exception. `truncated`: the process ended without closing, or messages are missing.
    `refused`, `unreachable`: the store could not be read any more.
    """

    verdict: Verdict
    detail: str  # one sentence for people
    session: str | None  # name and URL, where the session is in a store
    url: str | None
    run_id: str
    writers: tuple[WriterReport, ...]  # one, unless a composite reader was used
    counts: Mapping[str, int]  # messages by method
    messages: int  # good ones
    chunks: int
    bytes: int  # of message lines
    ledger: Ledger  # what both sides have asked of the store
    store: str  # under which name a table of prices knows the store: s3, gcs, azure, ..., local, unknown
    problems: tuple[SessionProblem, ...]  # the first hundred
    problem_counts: Mapping[str, int]  # all of them, by kind
    failed_results: int  # results that came, but that this side failed to handle
    duration: float  # seconds from opening to the end

    @property
    def requests(self) -> Mapping[str, int]:
        """To the store, by kind, of this side alone."""
        return self.ledger.reader.requests

    @property
    def bytes_down(self) -> int:
        """Read from the store by this side."""
        return self.ledger.reader.bytes_down

    @property
    def cost(self) -> Cost:
        """What the session has cost, by the package's prices and those in the file that BLOBPIPES_PRICES names."""
        return self.cost_at()

    def cost_at(
        self,
        prices: PriceTable | str | PathLike[str] | None = None,
        *,
        store: str | None = None,
        region: Region = "same",
    ) -> Cost:
        """What the session has cost, or would have cost in another store.

        Args:
            prices: a table, or the path of a file with prices of your own.
            store: another store of the table: "s3", "gcs", "azure", "r2", ...
            region: "other" if this process runs outside the store's region, so that reading costs egress.

        Raises:
            PriceFileError, InvalidOptionError: the file is broken, or the table has no such store.
        """
        table = prices if isinstance(prices, PriceTable) else load_prices(prices)
        chosen = self.store if store is None else table.require(store).key
        return price(self.ledger, store=chosen, table=table, region=region)

    @property
    def opened(self) -> bool:
        """At least one external process opened."""
        return any(writer.opened for writer in self.writers)

    @property
    def closed(self) -> bool:
        """Every external process closed."""
        return all(writer.closed for writer in self.writers)

    @property
    def exception(self) -> PipesException | None:
        """What the job closed with; of several writers, the first that failed."""
        return next((writer.exception for writer in self.writers if writer.exception is not None), None)

    @property
    def missing(self) -> int:
        """Messages known to be lost. 0 does not mean none, unless the verdict is complete or failed."""
        return sum(writer.missing for writer in self.writers)

    @property
    def problem_total(self) -> int:
        """All faults that were stepped over."""
        return sum(self.problem_counts.values())

    @property
    def all_arrived(self) -> bool:
        """Every message is proved to have come, and every result was handled."""
        return self.verdict in ("complete", "failed") and not self.failed_results

    def to_dict(self) -> dict[str, Any]:
        """All of it, in JSON's own types."""
        derived = {"opened": self.opened, "closed": self.closed, "exception": self.exception, "missing": self.missing}
        asked = {"requests": self.requests, "bytes_down": self.bytes_down, "cost": self.cost.to_dict()}
        whole: dict[str, Any] = plain(self)
        whole.pop("ledger")  # it is in the cost
        return {**whole, **plain({**derived, **asked}), "problem_total": self.problem_total}

    def summary(self) -> str:
        """One line for people."""
        results = self.counts.get("report_asset_materialization", 0), self.counts.get("report_asset_check", 0)
        numbers = {
            "message": self.messages,
            "materialization": results[0],
            "check": results[1],
            "chunk": self.chunks,
            "problem": self.problem_total,
        }
        parts = [counted(number, noun) for noun, number in numbers.items() if number or noun == "message"]
        return f"{self.verdict}: {', '.join(parts)}, {self.duration:.1f} s. {self.detail}"


def build_report(
    inbox: Inbox, *, session: str | None, url: str | None, run_id: str, duration: float
) -> PipesSessionReport:
    """The report of a session whose readers have read to the end."""
    writers = tuple(_writer_report(inbox, number) for number in range(_writer_count(inbox)))
    worst = min(writers, key=lambda writer: _WORST_FIRST.index(writer.verdict))
    several = f"Writer {writers.index(worst)}: " if len(writers) > 1 and worst.verdict != "complete" else ""
    return PipesSessionReport(
        verdict=worst.verdict,
        detail=several + worst.detail,
        session=session,
        url=url,
        run_id=run_id,
        writers=writers,
        counts=dict(inbox.counts),
        messages=sum(inbox.counts.values()),
        chunks=sum(end.chunks for end in inbox.ends.values()),
        bytes=inbox.message_bytes,
        ledger=ledger_of(inbox),
        store=inbox.price_key or "local",
        problems=tuple(inbox.problems.kept),
        problem_counts=dict(inbox.problems.counts),
        failed_results=inbox.failed_results,
        duration=duration,
    )


def ledger_of(inbox: Inbox) -> Ledger:
    """What both sides have asked of the store so far."""
    return Ledger(_worker_usage(inbox), inbox.usage)


def _worker_usage(inbox: Inbox) -> Usage | None:
    """Of all processes that wrote logs; None where one of them does not say."""
    usages = [end.usage for end in inbox.ends.values()]
    if not usages or any(usage is None for usage in usages):
        return None if inbox.price_key is not None else Usage()  # files and streams cost nothing
    return sum((usage for usage in usages if usage is not None), Usage())


def _writer_count(inbox: Inbox) -> int:
    return max(inbox.expected_writers, 1 + max(inbox.writers, default=0))


def _writer_report(inbox: Inbox, number: int) -> WriterReport:
    state = inbox.writers.get(number, WriterState())
    end = inbox.ends.get(number)
    if end is None:
        verdict, detail = _verdict_without_log(state)
        return WriterReport(verdict, detail, state.opened, state.closed, state.exception)
    return WriterReport(
        end.verdict, end.detail, state.opened, state.closed, state.exception, end.missing, dict(end.last_seq)
    )


def _verdict_without_log(state: WriterState) -> tuple[Verdict, str]:
    if state.closed and state.exception is not None:
        return "failed", "The job ended with an exception; every message arrived."
    if state.closed:
        return "complete", "Every message arrived."
    if state.opened:
        return "truncated", "The process ended without closing."
    return "truncated", "The process ended, and not one message of it came."


def counted(number: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
