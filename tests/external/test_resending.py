"""What was left is delivered once, at whatever point its process was killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from blobpipes.chunklog.journal import Journal
from blobpipes.external.resending import deliver, leftover_in, leftovers
from blobpipes.external.supervisor.place import RunPlace, new_place
from blobpipes.wire.messages import encode_message, log, opened
from tests.external.launching import messages_in, methods

SHORT = [b'{"method":"log","params":{"message":"%d"}}\n' % number for number in range(4)]
WHOLE = [encode_message(log(str(number))) for number in range(4)]
ENDS = [sum(map(len, SHORT[: at + 1])) for at in range(4)]


class Left:
    """The folders of a supervised run whose supervisor was killed."""

    def __init__(self, root: Path) -> None:
        self.root = root / "spools"
        self.log = root / "log"
        self.spool = self.root / "5bd1"
        self.place = new_place(self.root)
        self.place.messages.write_bytes(b"".join(SHORT))

    def die(self, *journaled: bytes, mark: tuple[int, int, int], group: int = 0) -> None:
        url = f"file://{self.log}"
        self.place.describe({"url": url, "spool": self.spool.name, "negotiated": True, "group": group})
        self.place.mark(*mark)
        self.place.release()
        if journaled:
            journal = Journal(self.spool)
            journal.describe({"url": url, "stream": "w1", "negotiated": True})
            for seq, line in enumerate(journaled, 1):
                journal.append(seq, line)
            journal.close(keep=True)

    def deliver(self) -> int:
        (left,) = leftovers(self.root)
        return deliver(left, timeout=60)

    @property
    def texts(self) -> list[str]:
        return [each["params"]["message"] for each in messages_in(self.log) if each["method"] == "log"]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path)


OPENED = encode_message(opened())


@pytest.mark.parametrize(
    ("journaled", "mark"),
    [
        ([OPENED], (0, 0, 0)),
        ([OPENED], (0, ENDS[0], 1)),  # killed before the first line was journaled
        ([OPENED, WHOLE[0]], (0, ENDS[0], 1)),  # and right after
        ([OPENED, *WHOLE[:2]], (ENDS[0], ENDS[1], 2)),
        ([OPENED, *WHOLE[:2]], (ENDS[1], ENDS[1], 0)),
        ([OPENED, *WHOLE], (ENDS[3], ENDS[3], 0)),
    ],
)
def test_no_line_is_lost_or_repeated_wherever_the_supervisor_was_killed(
    left: Left, journaled: list[bytes], mark: tuple[int, int, int]
) -> None:
    left.die(*journaled, mark=mark)
    assert left.deliver() == 5
    assert methods(messages_in(left.log)) == ["opened", *["log"] * 4]
    assert left.texts == ["0", "1", "2", "3"]
    assert list(left.root.iterdir()) == []


def test_the_same_words_said_before_do_not_pass_for_the_line_at_hand(left: Left) -> None:
    left.place.messages.write_bytes(SHORT[0] * 2)
    left.die(OPENED, WHOLE[0], mark=(len(SHORT[0]), 2 * len(SHORT[0]), 2))
    assert left.deliver() == 3
    assert left.texts == ["0", "0"]


def test_lines_after_all_of_the_journal_was_confirmed_and_removed_arrive_too(left: Left) -> None:
    left.die(mark=(ENDS[1], ENDS[1], 0))
    assert left.deliver() == 2
    assert left.texts == ["2", "3"]
    assert list(left.root.iterdir()) == []


def test_a_run_is_left_alone_while_its_supervisor_or_its_program_lives(left: Left) -> None:
    (found,) = leftovers(left.root)
    assert (found.state, found.path) == ("alive", left.place.directory)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as program:
        left.die(OPENED, mark=(0, 0, 0), group=program.pid)
        fields = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
        for started, state in ((fields[19], "alive"), ("another process of this number", "left")):
            place = RunPlace(left.place.directory)
            place.describe({**place.about(), "started": started})
            place.release()
            assert [each.state for each in leftovers(left.root)] == [state]
        program.communicate(b"\n")
    assert [each.state for each in leftovers(left.root)] == ["left"]


def test_a_spool_of_a_process_that_was_not_supervised_is_found_by_its_folder(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "spools" / "77")
    journal.describe({"url": f"file://{tmp_path}/log", "stream": "w1", "negotiated": True})
    journal.append(1, OPENED)
    alive = leftover_in(journal.directory)
    assert alive is not None
    assert alive.state == "alive"
    journal.close(keep=True)
    found = leftover_in(journal.directory)
    assert found is not None
    assert (found.state, found.messages, found.run) == ("left", 1, None)
    assert deliver(found, timeout=60) == 1
    assert methods(messages_in(tmp_path / "log")) == ["opened"]
    assert leftover_in(journal.directory) is None


def test_a_folder_that_names_no_log_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "journal.json").write_text(json.dumps({"stream": "w1"}))
    (tmp_path / "elsewhere").mkdir()
    assert [(each.path.name, each.state) for each in leftovers(tmp_path)] == [("1", "unreadable")]
