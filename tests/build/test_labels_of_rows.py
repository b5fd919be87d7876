"""Class numbers against classes: while building where it is known, else when data arrive."""

from __future__ import annotations

import numpy as np
import pytest

from building import compiled
from netdsl.diagnostics import Refused
from netdsl.model import Model

TEXT = """
model M{{n = 5}} {{
    input image: f32[B, 8]
    input label: i64[B]{declared}
    output logits = image -> fc: linear{{n}}
    loss ce = cross_entropy(logits, {label})
}}
"""


def gradients(label: list[int], declared: str = "", written: str = "label"):
    model = Model(compiled(TEXT.format(declared=declared, label=written))[0])
    inputs = {"image": np.ones((2, 8), np.float32), "label": np.array(label)}
    return model.gradients(inputs, model.initialize())


@pytest.mark.parametrize(("label", "written", "code"), [
    ([0, 5], "label", "N516"),
    ([-1, 0], "label", "N516"),
    ([0, 4], "label + 1", "N518"),
    ([-2, 0], "label + 1", "N518"),
])
def test_a_label_that_is_no_class_is_refused(label, written, code):
    with pytest.raises(Refused) as refused:
        gradients(label, written=written)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_labels_that_are_classes_are_taken():
    losses, _ = gradients([0, 4])
    shifted, _ = gradients([-1, 3], written="label + 1")
    assert losses == shifted


def test_a_declared_range_is_held_against_the_classes():
    assert gradients([0, 3], declared=" in 0..4")
    with pytest.raises(Refused, match="lie in 0..6, the logits are for 5 classes"):
        gradients([0, 3], declared=" in 0..6")
