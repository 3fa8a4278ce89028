"""Named, counted random streams: a network is the same whatever it is batched with."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["stream"]


def stream(*name: str | int | float) -> np.random.Generator:
    """The random stream of this name, e.g. ``stream(seed, "sine", "path", M, replicate)``.

    The name is hashed (SHA-256) into the seed of a counter-based generator (Philox, Salmon et
    al. 2011): streams of different names are independent, and one stream does not
    depend on how many others were drawn, on batches, threads or the order of jobs.
    """
    text = "\x1f".join(f"{type(part).__name__}:{part!r}" for part in name)
    entropy = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
