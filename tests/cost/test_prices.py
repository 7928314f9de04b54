"""Prices: the package's own, a user's on top, and files that are none."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from blobpipes.cost.price_files import PRICES_ENV_VAR, load_prices
from blobpipes.cost.prices import PriceFileError, parse_prices
from blobpipes.errors import InvalidOptionError


def test_the_packages_table_has_a_day_and_a_source_for_every_provider() -> None:
    table = load_prices()
    assert table.collected == date(2026, 11, 22)
    assert set(table.stores) == {"s3", "s3-express", "gcs", "azure", "r2", "local"}
    assert all(each.source.startswith("https://") for key, each in table.stores.items() if key != "local")


def test_a_list_is_as_dear_as_a_put_and_a_get_much_cheaper_on_every_cloud() -> None:
    clouds = [each for key, each in load_prices().stores.items() if key != "local"]
    assert [each.key for each in clouds if each.list != each.put or not 0 < each.get <= each.put / 10] == []


def test_a_file_of_ones_own_changes_only_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[stores.s3]\nget = 0.42\n[stores.ceph]\nname = "our Ceph"\nput = 0.1\n')
    table = load_prices(file)
    assert (table.of("s3").get, table.of("s3").put) == (0.42, 5.0)
    assert table.of("s3").recalled == ("egress",)  # the user has read the price of a get
    assert (table.of("ceph").name, table.of("ceph").put, table.of("ceph").get) == ("our Ceph", 0.1, 0.0)
    assert load_prices().of("s3").get == 0.40


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text("collected = 2027-01-02\n")
    monkeypatch.setenv(PRICES_ENV_VAR, str(tmp_path / "mine.toml"))
    assert load_prices().collected == date(2027, 1, 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[stores.s3", "is not TOML"),
        ("[stores.s3]\nputt = 5", "unknown key 'putt'; did you mean 'put'"),
        ("[store.s3]\nput = 5", "unknown key 'store'; did you mean 'stores'"),
        ("[stores.s3]\nput = -1", "put = -1 is no price"),
        ("[stores.s3]\nput = nan", "put = nan is no price"),
        ("[stores.s3]\nput = true", "put = True is no price"),
        ('[stores.s3]\nput = "5"', "put = '5' is no price"),
        ("[stores.s3]\nname = 5", "name = 5 is no text"),
        ('[stores.s3]\nrecalled = ["puts"]', "recalled"),
        ("stores = 5", "stores is no table"),
        ("[stores]\ns3 = 5", "[stores.s3] is no table"),
        ('collected = "today"', "is 'today' and no date"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(text: str, told: str) -> None:
    with pytest.raises(PriceFileError) as caught:
        parse_prices(text, where="mine.toml", base=load_prices())
    assert "mine.toml" in caught.value.message
    assert told in caught.value.message
    assert caught.value.remedy


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"absent\.toml cannot be read: No such file"):
        load_prices(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PriceFileError, match="not UTF-8"):
        load_prices(tmp_path / "binary.toml")


def test_an_unknown_store_costs_nothing_and_says_so_or_is_refused_where_it_was_asked_for() -> None:
    table = load_prices()
    assert (table.of("swift").is_known, table.of("swift").put) == (False, 0.0)
    assert "swift" in table.of("swift").name
    with pytest.raises(InvalidOptionError, match="'gc'; did you mean 'gcs'"):
        table.require("gc")
