"""One run by each of two builds of the code that stand in for two processors.

    python tests/builds.py OUT CONFIG,... STUDY ...

writes OUT/wide and OUT/narrow, whose verdicts `zeroloss compare OUT/wide OUT/narrow` holds side by
side. They differ in the width of vectors and in the fusing of products and sums of the compiled
engine, and in the kernels that torch, MKL and OpenBLAS choose: in the last bits, as processors do.
Claims are judged at any size.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BUILD = "ZEROLOSS_TEST_BUILD"
WIDE, NARROW = BOTH = "wide", "narrow"
FLAGS = {"-mprefer-vector-width=512": "-mprefer-vector-width=256", "-ffp-contract=off": "-ffp-contract=fast"}
KERNELS = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Haswell"}


def run(build: str, out: Path, configs: list[Path], parts: list[str]) -> None:
    """The verdicts of one build, in a process of its own.

    A part is a study, or some claims of it and the cases they rest on: study:claim,claim:case,case.
    """
    kernels = KERNELS if build == NARROW else {}
    words = [str(out / build), ",".join(map(str, configs)), *parts]
    subprocess.run(
        [sys.executable, __file__, *words], check=True, env=os.environ | kernels | {BUILD: build, "PYTHONHASHSEED": "0"}
    )


def use_narrow_engine() -> None:
    """Set the flags of the engine, which is not loaded yet."""
    library: Any = importlib.import_module("zeroloss.network.engine.library")
    assert not library.library.cache_info().currsize and set(FLAGS) <= set(library.FLAGS)
    library.FLAGS = tuple(FLAGS.get(flag, flag) for flag in library.FLAGS)


def judged(out: Path, configs: list[Path], parts: list[str]) -> None:
    """Run the parts in this process, and write verdicts.json."""
    import pandas as pd
    from judging import cases_of, claims_of, estimates_of, run_case

    from ledger import study
    from ledger.record import results, verdicts

    frames, claims = [], []
    for part in parts:
        name, *chosen = part.split(":")
        cases, stated = cases_of(name, *configs), claims_of(name)
        if chosen:
            ids, names = (words.split(",") for words in chosen)
            stated, cases = {one: stated[one] for one in ids}, {one: cases[one] for one in names}
        tables = {one: run_case(name, case) for one, case in cases.items()}
        claims += [claim.at_any_size() for claim in stated.values()]
        frames.append(estimates_of(name, study.Run(cases, tables), *(stated if chosen else ())))
    record = verdicts.judge(claims, pd.concat(frames, ignore_index=True), "quick")
    results.write_sealed(out / "verdicts.json", record)


def main() -> None:
    """As a program: both builds; as one of them: its run."""
    out, configs, *parts = sys.argv[1:]
    files = [Path(file) for file in configs.split(",")]
    build = os.environ.get(BUILD)
    if build is None:
        for each in BOTH:
            run(each, Path(out), files, parts)
        return
    if build == NARROW:
        use_narrow_engine()
    judged(Path(out), files, parts)


if __name__ == "__main__":
    main()
