"""Amounts of memory: read from words, shared out, and no influence on numbers."""

from __future__ import annotations

import pytest

from whorl import memory
from whorl.arrays import SPILL_BYTES
from whorl.compare import DEFAULT_BLOCK_BYTES
from whorl.records import BadInput
from whorl.running import Running
from whorl.store import SHELF_BYTES


@pytest.mark.parametrize(
    ("text", "amount"),
    [("4GB", 2**32), ("4 GiB", 2**32), ("1.5g", 3 * 2**29), ("500mb", 500 * 2**20), ("67108864", 2**26)],
)
def test_an_amount_is_read(text, amount):
    assert memory.read(text) == amount


@pytest.mark.parametrize(
    "text", ["", "much", "-4GB", "4PB", "nan", "0", "63MB", "4 G B", "٤GB", "9" * 400, "1e9"]
)
def test_what_is_no_amount_is_refused_in_one_line(text):
    with pytest.raises(BadInput, match="--memory") as error:
        memory.read(text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_half_of_what_is_free_is_less_than_there_is():
    assert memory.LEAST <= memory.half_of_free() < 2**45


def test_a_machine_that_tells_nothing_gets_a_plain_amount(monkeypatch):
    monkeypatch.setattr(memory, "_content", lambda path: "")
    assert memory.half_of_free() == 2**31


def test_a_container_takes_no_more_than_it_may(monkeypatch):
    told = {"/proc/meminfo": "MemAvailable: 8388608 kB\n", memory.LIMITS[0][0]: "3000000000\n"}
    told[memory.LIMITS[0][1]] = "1000000000\n"
    monkeypatch.setattr(memory, "_content", lambda path: told.get(path, ""))
    assert memory.half_of_free() == 1_000_000_000


def test_little_memory_makes_small_blocks_and_much_changes_nothing():
    little, much = (Running(memory=amount).settings() for amount in (2**28, 2**40))
    assert (little.block_bytes, little.spill_bytes, little.shelf.limit) == (2**24, 2**24, 2**26)
    assert (much.block_bytes, much.spill_bytes) == (DEFAULT_BLOCK_BYTES, SPILL_BYTES)
    assert much.shelf.limit == SHELF_BYTES
    assert Running(memory=2**40, block_bytes=7).settings().block_bytes == 7
