"""Seeds by command: `python -m tests.simulation --seeds 5000`, or one, step by step: `--seed 123 --trace`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.simulation.broken import BROKEN
from tests.simulation.parts import Parts
from tests.simulation.play import Reached, command, play


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--trace", action="store_true", help="tell what happens")
    parser.add_argument("--planted", choices=BROKEN, help="with this bug in the shells")
    given = parser.parse_args(arguments)
    parts = BROKEN[given.planted] if given.planted else Parts()
    planted = f" --planted {given.planted}" if given.planted else ""
    say = print if given.trace else None
    reached = Reached()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.seed, given.seed + given.seeds):
            if not _comes_out_well(seed, Path(folder), reached, parts, say):
                print(f"replay: {command(seed)}{planted}")
                return 1
    for what, count in sorted(reached.counts.items()):
        print(f"{count:>8}  {what}")
    print(f"{given.seeds} seeds came out as they must")
    return 0


def _comes_out_well(seed: int, folder: Path, reached: Reached, parts: Parts, say: Callable[[str], None] | None) -> bool:
    try:
        play(seed, folder, reached, parts=parts, say=say)
    except Exception:
        traceback.print_exc()
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
