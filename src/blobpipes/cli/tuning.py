"""A tuning as a value: the settings that were tried, today's and the recommended one. What the table, the picture and
the page show. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blobpipes.cli.wording import counted
from blobpipes.cost.bill import dollars
from blobpipes.cost.prices import StorePrices
from blobpipes.cost.tuner import Point


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found."""

    subject: str  # which job, for people
    prices: StorePrices
    collected: str  # the day of the prices
    jobs: float  # a month
    ours: Sequence[Point]  # by interval
    official: Sequence[Point]
    front: Sequence[Point]  # of ours
    today: Point
    recommended: Point
    line: str  # to paste

    @property
    def is_kept(self) -> bool:
        """Today's setting is the recommended one."""
        return self.recommended.interval == self.today.interval

    def money(self, point: Point) -> float:
        """US dollars: a session's, or a month's if there are several jobs."""
        return point.usd * self.jobs

    @property
    def unit(self) -> str:
        """Of the money."""
        return "a session" if self.jobs == 1 else f"a month of {counted(round(self.jobs), 'job')}"

    def marks(self, point: Point) -> str:
        """What is special about a point, for people."""
        words = ["today"] if point is self.today else []
        words += ["recommended"] if point is self.recommended else []
        is_beaten = any(
            better.usd <= point.usd
            and better.seconds <= point.seconds
            and (better.usd < point.usd or better.seconds < point.seconds)
            for better in self.front
        )
        return ", ".join([*words, "beaten by another"] if is_beaten else words)

    def verdict(self) -> str:
        """What to do, in a sentence."""
        if self.is_kept:
            return f"Keep the interval of {self.today.interval:g} s."
        now, then = self.today, self.recommended
        return (
            f"An interval of {then.interval:g} s instead of {now.interval:g} s: {dollars(self.money(then))} instead of "
            f"{dollars(self.money(now))} {self.unit}, and 95 % of the messages within {then.seconds:.1f} s instead of "
            f"{now.seconds:.1f} s."
        )
