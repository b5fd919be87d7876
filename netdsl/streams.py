"""Named streams of random bits from a counter-based generator (Salmon et al. 2011, Philox): what is
drawn depends on seed, name and position alone, not on the order of execution or on what else
draws. Dropout, initialisation, shuffling and augmentation each have streams of their own."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def stream(seed: int, name: str, step: int = 0, epoch: int = 0) -> np.random.Philox:
    """The stream called `name` at a step, before its first draw. Seeds are below 2⁶³."""
    number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
    return np.random.Philox(key=[seed, number], counter=[0, 0, step, epoch])
