"""The studies of the paper: one package each, with one name in every room of the house.

Studies from elsewhere are extensions: a folder of the study's name, with its package in it. The
environment variable names them, so that every job of a run knows them; the workflow sets it from
`extensions` in the configuration.
"""

import os
from pathlib import Path

ENVIRONMENT = "ZEROLOSS_EXTENSIONS"
BUILT_IN: tuple[str, ...] = ("limits", "zero_loss", "size", "linear")

FOLDERS: dict[str, Path] = {
    Path(folder).name: Path(folder)
    for folder in os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    if folder
}
"""The folder of each extension, by the name of its study."""

# `zeroloss.studies.NAME` is then the package NAME in the folder NAME
__path__ += [str(folder) for folder in FOLDERS.values()]

STUDIES: tuple[str, ...] = (*BUILT_IN, *FOLDERS)
