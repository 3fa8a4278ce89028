"""A stream is a function of its name, and of nothing else."""

from __future__ import annotations

import itertools

import numpy as np

from ledger.record.streams import stream


def first(*name: str | int | float) -> int:
    return int(stream(*name).integers(2**63))


def test_a_name_fixes_the_stream() -> None:
    drawn = stream(7, "sine", "independent", 8, 16, 3).standard_normal(5)
    stream(7, "sine", "independent", 8, 16, 2).standard_normal(1000)  # another draws meanwhile
    again = stream(7, "sine", "independent", 8, 16, 3).standard_normal(5)
    assert drawn.tobytes() == again.tobytes()


def test_the_stream_of_a_name_is_the_same_in_every_release() -> None:
    """Published numbers rest on it: raw output of the generator, which numpy keeps stable."""
    raw = stream(1, "sine", 0.5).bit_generator.random_raw(2)
    assert raw.tolist() == [10173186565184470323, 13287071227314129309]


def test_every_part_of_a_name_counts() -> None:
    parts = ("a", "b", "ab", "a1", "", 1, 2, 12, -1, "1", 1.0)
    names = [name for length in range(3) for name in itertools.product(parts, repeat=length)]
    assert len({first(*name) for name in names}) == len(names)


def test_counted_streams_are_uncorrelated() -> None:
    """Correlations of 40 counted streams have the size of chance, as has the mean of each."""
    draws = np.stack([stream(0, "sine", replicate).standard_normal(4000) for replicate in range(40)])
    correlations = np.asarray(np.corrcoef(draws))[np.triu_indices(40, 1)] * np.sqrt(4000)
    assert np.abs(correlations).max() < 4.5  # 780 of them
    assert np.std(correlations) < 1.15
    assert np.abs(draws.mean(1) * np.sqrt(4000)).max() < 4
