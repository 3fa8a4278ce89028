# pyright: strict
"""What `regimes` runs: its block of the configuration, and the cases that are made of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.study import Closed, Common
from zeroloss.studies.case import Case, gathered
from zeroloss.studies.settings import Count, Doubling, LawSettings, Positive, ProblemSettings

Several = Annotated[int, Field(ge=2)]
Share = Annotated[float, Field(gt=0, lt=1)]
Shares = Annotated[tuple[Share, ...], Field(min_length=1, strict=False)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]
DataName = Literal["gaussian", "digits", "diabetes"]
StartName = Literal["path", "brownian", "independent"]


class SmallSettings(Closed):
    """A small model: its dimension and samples, of which ``replicates`` are drawn."""

    dim: Several
    num_samples: Several
    replicates: Several
    rtol: Positive


class ExponentsSettings(SmallSettings):
    """Flows of four parametrisations down to some shares of the first risk, at depths that double."""

    num_layers: Doubling
    shares: Shares  # of the risk at the start, falling; the first is judged for the affine deviation
    data: Annotated[tuple[DataName, ...], Field(min_length=1, strict=False)]
    start: Positive  # of δ, over its power of L
    fresh: Several  # inputs on which the trained map is compared with affine ones


class BalanceSettings(SmallSettings):
    """ReLU flows whose conserved quantities are followed."""

    num_layers: Count
    share: Share
    adam_steps: Count
    adam_rate: Positive


class FloorSettings(SmallSettings):
    """A target that no affine map fits, trained long after the risk has come near the affine floor."""

    num_layers: Annotated[tuple[Count, Count], Field(strict=False)]
    above: Annotated[float, Field(gt=1)]  # of the floor, where the clock stops first
    times: Annotated[float, Field(gt=1)]  # that time, so often


class OptimiserSettings(SmallSettings):
    """Adam on the shared parametrisation, at two rates."""

    num_layers: Doubling
    rates: Annotated[tuple[Positive, Positive], Field(strict=False)]
    share: Share
    most_steps: Count


class InheritedSettings(SmallSettings):
    """Layers of δ = 1 that start independent, with the variance s²/(dL)."""

    num_layers: Doubling
    scale: Positive
    share: Share


class ChainSettings(Closed):
    """Random residual networks: law of the norm, moments, the critical line, the drift."""

    width: Several
    num_layers: Count
    scale: Positive
    replicates: Several
    moment_betas: Positives
    moment_replicates: Several
    moment_width: Several
    hursts: Shares
    line_layers: Count
    line_width: Several
    line_replicates: Several
    line_step: Positive
    drift_scale: Positive
    drift_replicates: Several


class PathsSettings(Closed):
    """Statistics of weights along the depth, on paths that are known."""

    num_layers: Doubling
    hursts: Shares
    replicates: Several


class DeepSettings(Closed):
    """Networks of this paper's scaling, whose trained weights are looked at along the depth."""

    problem: ProblemSettings
    initial_law: LawSettings
    num_layers: Doubling
    num_units: Count
    flow_time: Positive
    replicates: Several


class StartsSettings(DeepSettings):
    """Such networks along the gradient flow."""

    rtol: Positive


class VariationSettings(StartsSettings):
    """The same from Brownian paths, with tangents along the flow."""

    perturbation: Positive


class KinkSettings(DeepSettings):
    """ReLU on constant paths by descent: steps, and how many increments a unit may jump at."""

    steps: Positives


class Settings(Closed):
    """The whole block."""

    exponents: ExponentsSettings
    balance: BalanceSettings
    floor: FloorSettings
    optimiser: OptimiserSettings
    inherited: InheritedSettings
    chains: ChainSettings
    paths: PathsSettings
    starts: StartsSettings
    variation: VariationSettings
    kink: KinkSettings


class Exponents(Case, ExponentsSettings):
    """`trained.exponents`."""


class Balance(Case, BalanceSettings):
    """`trained.balance`."""


class Floor(Case, FloorSettings):
    """`trained.floor`."""


class Optimiser(Case, OptimiserSettings):
    """`trained.optimiser`."""


class Inherited(Case, InheritedSettings):
    """`trained.inherited`."""


class Chains(Case, ChainSettings):
    """`chains.chains`."""


class Paths(Case, PathsSettings):
    """`chains.paths`."""


class Starts(Case, StartsSettings):
    """`bridge.bridge`."""


class Variation(Case, VariationSettings):
    """`bridge.variation`."""


class Kink(Case, KinkSettings):
    """`bridge.kink`."""


def cases(block: Settings, common: Common) -> dict[str, Case]:
    """One case of each kind."""
    kinds = (Exponents, Balance, Floor, Optimiser, Inherited, Chains, Paths, Starts, Variation, Kink)
    return {kind.kind: gathered(kind, common, getattr(block, kind.kind)) for kind in kinds}
