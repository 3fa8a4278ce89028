"""Near controls judged at the sizes of a run: is the smallest wrong theory of each claim refuted?

On the planted tables the measuring function of the claim runs again. Rows that the run itself is
refuted by say nothing of the control, so they do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ledger.near import near_controls_of
from ledger.record import estimates, results
from ledger.record.claims import Claim
from ledger.record.verdicts import NOT_JUDGED, REFUTED, Settings, judge_claim
from ledger.run import jobs
from ledger.study import Control, Run

__all__ = ["NOT_REFUTED", "judge", "weigh"]

NOT_REFUTED = "not refuted"


def judge(study: str, claims: Sequence[Claim], specs: Path, folder: Path, measured: Path, out: Path) -> None:
    """Write {claim: {verdict, by}} of the claims of a study that state a near control.

    `folder` holds the tables, `measured` is the table of estimates. Of a study with failed cases nothing
    is judged. Raises ResultError where words stand without a function, or the other way round.
    """
    controls = near_controls_of(jobs.part_of(study, "measure"))
    own = [claim for claim in claims if estimates.study_of(claim.id) == study]
    one_sided = sorted({claim.id for claim in own if claim.near_control} ^ set(controls))
    if one_sided:
        raise results.ResultError(
            f"a near control must have words in the claims file and a function in the module measure of {study}, "
            f"got one of the two for {', '.join(one_sided)}; add near_control, or @near"
        )
    cases, frame = jobs.read_cases(study, specs), estimates.read([measured])
    found: dict[str, Any] = {}
    if not estimates.failed([measured]):
        run, settings = jobs.read_run(cases, folder)[0], jobs.settings_of(cases)
        for claim in own:
            if claim.near_control:
                found[claim.id] = weigh(claim, controls[claim.id], run, frame, settings)
    results.write_sealed(out, found)


def weigh(claim: Claim, control: Control, run: Run, measured: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    """Whether the near control of a claim is refuted, and by which row where the run itself is not.

    Not judged where the claim is not: below its regime.
    """
    before = judge_claim(claim, measured, settings=settings)
    found = {"verdict": NOT_JUDGED, "by": ""}
    if before["verdict"] == NOT_JUDGED:
        return found
    study = estimates.study_of(claim.id)
    frame = jobs.estimates_of(study, control.within(run), [claim.id])
    planted = judge_claim(claim, estimates.with_keys(frame, study), settings=settings)
    held = {row["key"] for row in before["rows"] if row["verdict"] != REFUTED}
    by = [row["key"] for row in planted["rows"] if row["verdict"] == REFUTED and row["key"] in held]
    if not by:
        return found | {"verdict": NOT_REFUTED}
    return found | {"verdict": REFUTED, "by": planted["deciding"] if planted["deciding"] in by else by[0]}
