"""A plan of faults means the same every time, and refuses what it cannot do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from blobpipes.errors import InvalidOptionError
from blobpipes.testing import REQUEST_FAULTS, Faults

REQUESTS = [(verb, f"{number}.json") for number in range(200) for verb in ("put", "get", "list", "delete")]


def fates(faults: Faults, requests: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
    return {request: faults.next(*request) for request in requests if request[0] != "list"}  # listings have no name


def test_a_seed_means_the_same_faults_whatever_the_order_and_the_folder() -> None:
    forth = fates(Faults(seed=3, rates={"any": 0.5}), REQUESTS)
    assert fates(Faults(seed=3, rates={"any": 0.5}), REQUESTS[::-1]) == forth
    assert fates(Faults(seed=4, rates={"any": 0.5}), REQUESTS) != forth
    elsewhere = fates(Faults(seed=3, rates={"any": 0.5}), [(verb, f"a/b/{name}") for verb, name in REQUESTS])
    assert list(elsewhere.values()) == list(forth.values())


def test_rates_are_kept_to() -> None:
    faults = Faults(rates={"any": 0.3, "torn": 0.1})
    for request in REQUESTS:
        faults.next(*request)
    per_verb: Counter[str] = Counter()
    for what, count in faults.struck.items():
        per_verb[what.partition(":")[0]] += count
    assert all(30 <= per_verb[verb] <= 110 for verb in per_verb), per_verb  # of 200 each; the seed decides, not chance
    assert faults.struck["get: torn"] > 5
    assert "put: torn" not in faults.struck


def test_what_failed_once_has_another_chance_the_next_time() -> None:
    faults = Faults(rates={"request lost": 0.5})
    outcomes = [faults.next("put", "1.json") for _ in range(50)]
    assert {None, "request lost"} == set(outcomes)


def test_scripts_come_first_each_for_its_verb() -> None:
    faults = Faults(puts=["reply lost", None], gets=["torn"], rates={"slow": 1.0})
    assert [faults.next("put", "k") for _ in range(3)] == ["reply lost", None, "slow"]
    assert [faults.next("get", "k") for _ in range(2)] == ["torn", "slow"]
    assert faults.struck == {"put: reply lost": 1, "put: slow": 1, "get: torn": 1, "get: slow": 1}


def test_an_outage_hits_every_request_from_the_one_to_the_other() -> None:
    faults = Faults(outage=(2, 4))
    assert [faults.next("get", str(number)) for number in range(6)] == [None, *["request lost"] * 3, None, None]


def test_every_fault_can_be_asked_for_in_a_url(tmp_path: Path) -> None:
    log = tmp_path / "faults.log"
    text = ",".join(f"{fault.replace(' ', '-')}=0.01" for fault in REQUEST_FAULTS)
    faults = Faults.parse(f"seed=7,{text},outage=1-1,delay=0.5,log={str(log).replace('/', '%2F')}")
    assert faults.delay == 0.5
    assert faults.next("put", "1.json") == "request lost"
    assert log.read_text() == "put 1.json: request lost\n"


@pytest.mark.parametrize("text", ["lost=0.1", "seed=x", "reply-lost=often", "outage=3", "seed", "log="])
def test_what_cannot_be_understood_is_told_with_what_can(text: str) -> None:
    with pytest.raises(InvalidOptionError, match="reply-lost") as caught:
        Faults.parse(text)
    assert text in str(caught.value)


def test_a_fault_that_does_not_exist_or_cannot_happen_there_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="unknown fault 'lost'"):
        Faults(rates={"lost": 0.1})
    with pytest.raises(InvalidOptionError, match="from 0 to 1"):
        Faults(rates={"any": 1.5})
    with pytest.raises(InvalidOptionError, match="'torn' cannot happen to a put"):
        Faults(puts=["torn"]).next("put", "k")
