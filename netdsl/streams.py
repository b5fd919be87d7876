"""Named streams of random bits from a counter-based generator (Salmon et al. 2011, Philox): what is
drawn depends on seed, name and position alone, not on the order of execution or on what else
draws. Dropout, initialisation, shuffling and augmentation each have streams of their own."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def stream(
    seed: int, name: str, step: int = 0, epoch: int = 0, skip: int = 0
) -> np.random.Philox:
    """The stream called `name` at a step, behind its first `skip` draws of 64 bits. Seeds are
    below 2⁶³."""
    number = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
    draws = np.random.Philox(key=[seed, number], counter=[skip // 4, 0, step, epoch])
    draws.random_raw(skip % 4)  # four to each count
    return draws


def normal(bits: np.ndarray, count: int) -> np.ndarray:
    """The first `count` numbers of the standard normal distribution that these bits, u64, give:
    two of each by the transform of Box & Muller 1958. In float64, so that machines agree on the
    last bit of what is rounded to float32."""
    halves = bits.astype("<u8", copy=False).view("<u4").reshape(-1, 2)
    radius, turn = halves.astype(np.float64).T * 2.0**-32
    length, angle = np.sqrt(-2 * np.log1p(-radius)), 2 * np.pi * turn
    return np.stack([length * np.cos(angle), length * np.sin(angle)], 1).reshape(-1)[:count]
