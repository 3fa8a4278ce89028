"""The jobs of `sparsity`: statements about minimisers and flows in one case, trained networks in the other."""

from collections.abc import Iterator

import pandas as pd

from ledger.study import job
from zeroloss.studies.sparsity import factors, nets, risks
from zeroloss.studies.sparsity.plan import Theory

__all__ = ["nets", "theory"]


@job(Theory)
def theory(case: Theory) -> Iterator[pd.DataFrame]:
    """Balance under the flow, ends of single coefficients, exact risks."""
    yield from nets.balance(case)
    yield from factors.ends(case)
    yield from risks.rates(case)
