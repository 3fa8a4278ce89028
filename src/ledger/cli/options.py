"""What several commands take, and read in the same way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, BadParameter, Option

if TYPE_CHECKING:
    from ledger.record.claims import Claim

SEVERAL = "FILE..."  # as the help shows an option that takes several words

Study = Annotated[str, Argument(help="name of a study", show_default=False)]
Mode = Annotated[Literal["full", "quick", "large"], Option(help="the mode of the run")]
Files = Annotated[list[Path], Option(metavar=SEVERAL, show_default=False)]
Out = Annotated[Path, Option(help="where to write", show_default=False)]
Place = Annotated[Path, Option(show_default=False)]
Results = Annotated[Path, Option(help="folder of the runs, one in it for each mode")]
Published = Annotated[Path, Option(help="folder of the published run")]
Json = Annotated[bool, Option("--json", help="print JSON instead of a table")]
Cores = Annotated[int | None, Option(min=1, help="processors; by default those of this machine")]
ClaimFiles = Annotated[
    list[Path] | None,
    Option("--claims", metavar="FILE", help="states claims, once or repeated; by default the files of every study"),
]
ClaimIds = Annotated[list[str] | None, Argument(metavar="CLAIM", help="ids of claims; all of them by default")]
Overrides = Annotated[str, Option(metavar="JSON", help="settings that lie over those of the files")]

RUNS, PUBLISHED = Path("results"), Path("published")


def stated_in(files: Sequence[Path] | None) -> tuple[Claim, ...]:
    """The claims of some files, or of every study."""
    from ledger.record.claims import files_of_claims, load_claims

    return load_claims(*(files or files_of_claims()))


def mapping(text: str) -> dict[str, Any]:
    """Settings of a command line."""
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise BadParameter(f"--overrides must be a mapping in JSON, got {text}")
    return content


def print_json(content: Any) -> None:
    """Print content as JSON, its keys in their order."""
    from ledger.record import results

    print(json.dumps(results.jsonable(content), indent=1, sort_keys=True))
