"""Optional programs of this machine, looked for as the workflow itself looks for them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FIND_TEX = Path(__file__).resolve().parents[1] / "workflow" / "scripts" / "find-tex.sh"
# TeX Live with all that the paper uses, or tectonic
HAVE_TEX = not subprocess.run(["bash", FIND_TEX, "check"], capture_output=True).returncode
HAVE_LATEXMK = HAVE_TEX and shutil.which("latexmk") is not None
HAVE_PDFTOTEXT = shutil.which("pdftotext") is not None
