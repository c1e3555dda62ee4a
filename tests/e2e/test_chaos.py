"""Engines of one group are killed, stopped and starved; every event is in the lake once. Longer runs: `make chaos`."""

import chaos
import pytest


@pytest.mark.parametrize("lake, seed", [("bucket", 1), ("folder", 2)])
def test_nothing_is_lost_or_twice(lake, seed, tmp_path):
    figures = chaos.run(tmp_path, seed, 16, lake)
    assert figures["takeovers"] >= 4, "the partitions hardly changed hands"
