"""Class labels where a loss compares numbers: `one_hot(label, 5)` in place of `label`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netdsl.build.builder import Builder
from netdsl.build.explain.trials import parsed, tensor_of
from netdsl.build.frame import Frame
from netdsl.ir.graph import Value
from netdsl.layers.words import Word

NUMBERS = {  # losses of numbers, with what they make of class labels
    **dict.fromkeys(("mse", "l1", "huber", "smooth_l1", "bce", "bce_logits"), "{}"),
    "hinge": "2 * {} - 1",  # its targets are -1 and 1
}


def one_hot(
    b: Builder, frame: Frame, word: Word, given: list[Any],
    fits: Callable[[int, Value | None], bool],
) -> str | None:
    """What to write for the labels, `{}` in it, where a loss is given scores and labels;
    `fits(i, value)` is whether all is well with this value as that operand."""
    if word.name not in NUMBERS or len(given) != 2:
        return None
    scores, label = (each.value.type for each in given)
    if label.is_float or not scores.rank or not isinstance(scores.shape[-1], int):
        return None
    dtype = "" if scores.dtype == "f32" else f", {scores.dtype}"
    form = NUMBERS[word.name].format(f"one_hot({{}}, {scores.shape[-1]}{dtype})")
    made = tensor_of(b, frame, parsed(form.format("label")), {"label": given[1].value})
    return form if fits(1, made) else None
