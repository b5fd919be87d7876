"""Examples of losses."""

from __future__ import annotations

import numpy as np

from operands import Array, B, example, integers, positive

LABELLED = (
    ((B, 4), (B,), {}), ((B, 4), (B,), {"smooth": 0.1}), ((B, 3, 2, 2), (B, 2, 2), {}),
    ((B, 2, 3), (B, 2), {"axis": 2, "smooth": 0.3}), ((3,), (), {"axis": 0}), ((B, 1), (B,), {}),
    ((B, 4), (B,), {"ignore": 2}), ((B, 4), (B,), {"ignore": 2, "smooth": 0.2}),
    ((B, 3, 2, 2), (B, 2, 2), {"ignore": 0}),
)
CROSS_ENTROPY = tuple(
    case
    for shape, rows, attrs in LABELLED
    for label in (integers(*rows, low=0, high=shape[attrs.get("axis", 1)]),)
    for case in (
        example("cross_entropy", shape, label, **attrs),
        example("cross_entropy_logits_gradient", rows, shape, label, positive(*rows), **attrs),
    )
) + (
    example("cross_entropy", Array((B, 4), low=-300.0, high=300.0), integers(B, low=0, high=4),
            note="large"),
    example("cross_entropy", (B, 4), integers(B, low=0, high=4, dtype="i32"), note="i32 labels"),
)


def with_marks(attrs, logits: np.ndarray) -> np.ndarray:
    """A class for each row, every second one -100."""
    rows = np.arange(len(logits), dtype=np.int64)
    return np.where(rows % 2, -100, rows % logits.shape[1])


OUTSIDE = tuple(
    example("cross_entropy", (B, 3), Array((B,), "i64", derive=with_marks), ignore=-100,
            smooth=smooth, note=f"labels beyond the classes, {smooth}")
    for smooth in (0.0, 0.1)
)


def share(*shape) -> Array:
    return Array(shape, low=0.02, high=0.98)


BINARY = tuple(
    example("bce", share(*p), share(*target))
    for p, target in (((B, 3), (B, 3)), ((B, 3), ()), ((), ()), ((B, 2, 1), (B, 1, 3)))
)

EXAMPLES = (*CROSS_ENTROPY, *OUTSIDE, *BINARY)
