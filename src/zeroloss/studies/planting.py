"""What the planted failures of all studies are made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from zeroloss.studies.rows import Specs, Tables

__all__ = ["Change", "Made", "Planted", "changed"]

Made = dict[str, pd.DataFrame]
Change = Callable[[pd.DataFrame, Mapping[str, Any]], pd.DataFrame]
Planted = Callable[[Tables, Specs], Made]


def changed(kind: str, change: Change) -> Planted:
    """Apply ``change`` to copies of the tables of one kind and leave the others alone."""

    def apply(tables: Tables, specs: Specs) -> Made:
        return {name: change(table.copy(), specs[name]) if specs[name]["kind"] == kind else table
                for name, table in tables.items()}

    return apply
