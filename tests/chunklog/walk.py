"""Random lives of a log, each from a seed: `python -m tests.chunklog.walk --seeds 10000`.

A seed that fails prints the line that replays it.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable

from tests.chunklog.life import INTERESTING, Life

STEPS = 80

WEIGHTS = {
    "serve": 6, "serve_badly": 4, "look": 6, "look_badly": 4, "write": 3, "land": 2, "restart": 1, "start": 1,
    "close": 1, "kill": 1, "terminate": 1, "say_gone": 2, "crash_reader": 1, "flush": 1, "give_up": 1, "pass_time": 1,
    "work": 1,
}  # fmt: skip


def walk(seed: int, reach: Callable[[str], None] = lambda what: None) -> None:
    """One life of at most `STEPS` actions and its end. Raises what it finds."""
    source = random.Random(seed)
    life = Life(source.choice, reach)
    life.check()
    for name in source.choices(list(WEIGHTS), list(WEIGHTS.values()), k=source.randint(1, STEPS)):
        getattr(life, name)(source.choice)
        life.check()
    life.finish()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chunklog.walk", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    given = parser.parse_args(arguments)
    reached: Counter[str] = Counter()
    if any(not _comes_out_well(seed, reached) for seed in range(given.seed, given.seed + given.seeds)):
        return 1
    for what in sorted(INTERESTING):
        print(f"{reached[what]:>8}  {what}")
    print(f"{given.seeds} lives came out as they must")
    return 0


def _comes_out_well(seed: int, reached: Counter[str]) -> bool:
    try:
        walk(seed, lambda what: reached.update([what]))
    except Exception:
        traceback.print_exc()
        print(f"replay: python -m tests.chunklog.walk --seed {seed} --seeds 1")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
