"""One thread per test process, and laws that try the same examples on every run."""

from __future__ import annotations

import os

from hypothesis import settings

# before torch is first imported: workers share the cores, and sums keep their order
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")
