# pyright: strict
"""What `my_study` runs: networks with softplus of doubling widths, on a table of one's own."""

from ledger.study import Closed, Common
from zeroloss.studies.case import NetworkCase
from zeroloss.studies.settings import Count, Doubling, LawSettings, Positive, ProblemSettings


class Training(Closed):
    """What networks of all widths share."""

    problem: ProblemSettings
    initial_law: LawSettings
    num_layers: Count
    replicates: Count
    flow_time: Positive
    rtol: Positive


class Settings(Training):
    """The block `my_study` of the configuration."""

    num_units: Doubling


class Ensemble(Training, NetworkCase):
    """Networks of independent layers, of one width."""

    num_units: Count


def cases(block: Settings, common: Common) -> dict[str, Ensemble]:
    """One case for each width."""
    shared = {name: getattr(block, name) for name in Training.model_fields}
    return {
        f"width-{M}": Ensemble(**common._asdict(), **shared, setting="my-study", activation="softplus", num_units=M)
        for M in block.num_units
    }
