"""The interval decides the digits; estimate and interval end at the same place."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.record.formatting import format_interval, format_number, half_width, tex_interval, tex_number


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (-0.99834, 0.00123, "-0.9983"),
        (-0.99834, 0.0996, "-1.00"),
        (-0.99834, 0.0994, "-0.998"),
        (0.5, 0.25, "0.50"),
        (1234.5678, 23.0, "1235"),
        (12345.678, 234.0, "12350"),
        (1.31e-9, 2.1e-11, "1.310e-9"),
        (6.02e23, 1e21, "6.020e23"),
        (0.0, 0.01, "0.000"),
        (-0.0001, 0.1, "0.00"),
        (0.1, 1e-20, "0.1000000000"),
        (5e-324, 5e-324, "5.0e-324"),
        (1.5, math.nan, "1.5"),
        (0.123456, math.nan, "0.1235"),
        (2000.0, math.nan, "2000"),
        (12345.6, 0.0, "12350"),
        (1.2345678e-5, math.nan, "1.235e-5"),
        (0.0, math.nan, "0"),
        (math.nan, 1.0, "n/a"),
        (math.inf, 1.0, "inf"),
        (-math.inf, math.nan, "-inf"),
    ],
)
def test_numbers(value: float, width: float, text: str) -> None:
    assert format_number(value, width) == text


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (-0.99957, -0.99711, "[-0.9996, -0.9971]"),
        (1.289e-9, 1.331e-9, "[1.289e-9, 1.331e-9]"),
        (0.0, 1.0, "[0.00, 1.00]"),
        (-1e-9, 0.5, "[0.00, 0.50]"),
        (1.0, 1.0, "[1, 1]"),
        (0.1, math.inf, "[0.1, inf]"),
        (math.nan, 1.0, "n/a"),
    ],
)
def test_intervals(lower: float, upper: float, text: str) -> None:
    assert format_interval(lower, upper) == text


def test_latex_goes_through_siunitx() -> None:
    assert tex_number(-0.99834, 0.00123) == r"\num{-0.9983}"
    assert tex_number(-2e-5, 1.5e-4, (-2e-4, 1.1e-4)) == r"\num{-0.2e-4}", "in the power of ten of its interval"
    assert tex_number(math.nan) == r"\zlna{}"
    assert tex_interval(1.289e-9, 1.331e-9) == (r"\ensuremath{[\num{1.289},\zlbreak\num{1.331}]\times\num{e-9}}")
    assert tex_interval(0.1, math.nan) == r"\zlna{}"


@given(st.floats(-1e300, 1e300), st.floats(1e-300, 1e300))
def test_what_is_shown_is_the_value_to_a_twentieth_of_the_width(value: float, width: float) -> None:
    shown = float(format_number(value, width))
    assert abs(shown - value) <= max(width / 15, abs(value) * 1e-9)


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_intervals_of_any_size_are_shown(lower: float, width: float) -> None:
    upper = lower + width
    if math.isfinite(upper):
        assert half_width(lower, upper) >= 0
        low, high = (float(end) for end in format_interval(lower, upper)[1:-1].split(", "))
        assert low <= high
