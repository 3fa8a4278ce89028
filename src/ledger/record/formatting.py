"""Numbers as text: the width of the interval decides how many digits an estimate shows.

Two significant digits of the half-width are kept, and estimate and interval end at the same place:
-0.9983 [-0.9996, -0.9971]. Very large and very small numbers share one power of ten.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

WIDTH_DIGITS = 2
PLAIN_DIGITS = 4
MOST_DIGITS = 10
FIXED_EXPONENTS = range(-3, 6)
NOT_MEASURED = "n/a"
BREAK = r"\zlbreak"  # where a line may end inside an interval


class Shown(NamedTuple):
    """Numbers rounded to one place: digits as text, and the power of ten they share (0: none)."""

    digits: tuple[str, ...]
    exponent: int


def _exponent(value: float, significant: int) -> int:
    """Return the decimal exponent of `value` rounded to `significant` digits (0.0996 -> -1)."""
    return int(f"{abs(value):.{significant - 1}e}".partition("e")[2])


def half_width(lower: float, upper: float) -> float:
    """Return (upper - lower) / 2, without overflow on the way."""
    return upper / 2 - lower / 2


def show(values: tuple[float, ...], width: float) -> Shown:
    """Round finite `values` to the place that `width` decides (a half-width; NaN or 0: none)."""
    largest = max(abs(value) for value in values) or (width if _has_width(width) else 0.0)
    if largest == 0:
        return Shown(tuple("0" for _ in values), 0)
    if _has_width(width):
        last = _exponent(width, WIDTH_DIGITS) - WIDTH_DIGITS + 1
    elif all(value.is_integer() for value in values) and largest < 10 ** max(FIXED_EXPONENTS):
        last = 0
    else:
        last = _exponent(largest, PLAIN_DIGITS) - PLAIN_DIGITS + 1
    last = max(last, _exponent(largest, MOST_DIGITS) - MOST_DIGITS + 1)
    top = max(_exponent(largest, max(1, _exponent(largest, 1) - last + 1)), last)
    exponent = 0 if top in FIXED_EXPONENTS else top
    return Shown(tuple(_fixed(value, last, exponent) for value in values), exponent)


def _fixed(value: float, last: int, exponent: int) -> str:
    """Return `value` / 10^exponent, rounded where `value` itself has its digit of 10^last."""
    scaled = Decimal(repr(value)).scaleb(-exponent)
    text = f"{scaled.quantize(Decimal(1).scaleb(last - exponent)):f}"
    return text.lstrip("-") if float(text) == 0 else text


def format_number(value: float, width: float = math.nan, ends: Iterable[float] = ()) -> str:
    """Return `value` as plain text: `-0.9983`, `1.2e-9`, `n/a` for NaN.

    `ends`: of the interval of this width, whose power of ten the number then has.
    """
    if math.isnan(value):
        return NOT_MEASURED
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    shown = show((value, *ends) if _has_width(width) else (value,), width)
    digits = _stripped(shown.digits[0]) if not _has_width(width) else shown.digits[0]
    return f"{digits}e{shown.exponent}" if shown.exponent else digits


def format_interval(lower: float, upper: float) -> str:
    """Return `[lower, upper]` as plain text; `n/a` when an end is NaN."""
    if math.isnan(lower) or math.isnan(upper):
        return NOT_MEASURED
    width = half_width(lower, upper)
    if math.isinf(width):
        return f"[{format_number(lower)}, {format_number(upper)}]"
    shown = show((lower, upper), width)
    power = f"e{shown.exponent}" if shown.exponent else ""
    return f"[{shown.digits[0]}{power}, {shown.digits[1]}{power}]"


def prints_as_one(lower: float, upper: float) -> bool:
    """Tell whether both ends of an interval print as the same number."""
    width = half_width(lower, upper)
    return math.isfinite(width) and len(set(show((lower, upper), width).digits)) == 1


def tex_number(value: float, width: float = math.nan, ends: Iterable[float] = ()) -> str:
    r"""Return `value` for LaTeX: `\num{-0.9983}`; NaN gives `\zlna`, infinities `\infty`."""
    if math.isnan(value):
        return r"\zlna{}"
    if math.isinf(value):
        return r"\ensuremath{\infty}" if value > 0 else r"\ensuremath{-\infty}"
    return rf"\num{{{format_number(value, width, ends)}}}"


def tex_interval(lower: float, upper: float) -> str:
    r"""Return `[lower, upper]` for LaTeX, with one shared power of ten; NaN gives `\zlna`."""
    if math.isnan(lower) or math.isnan(upper):
        return r"\zlna{}"
    width = half_width(lower, upper)
    if math.isinf(width):
        return rf"\ensuremath{{[{tex_number(lower)},{BREAK}{tex_number(upper)}]}}"
    shown = show((lower, upper), width)
    ends = rf"[\num{{{shown.digits[0]}}},{BREAK}\num{{{shown.digits[1]}}}]"
    power = rf"\times\num{{e{shown.exponent}}}" if shown.exponent else ""
    return rf"\ensuremath{{{ends}{power}}}"


def _has_width(width: float) -> bool:
    return math.isfinite(width) and width > 0


def _stripped(digits: str) -> str:
    """Return the digits without zeros that no interval vouches for: 0.5000 -> 0.5."""
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
