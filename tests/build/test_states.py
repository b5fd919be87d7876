"""`state` and `update`, lists of inputs, labels on `if`."""

from __future__ import annotations

import numpy as np
import pytest

from building import body, codes_of, compiled, errors_of, graph_of, outputs, parameters
from netdsl.diagnostics import Refused
from netdsl.model import Model
from netdsl.rewrite.phases import infer, train, validate

QUEUE = """
    state count: i64[] = 3
    state shift: f32[2, 3] = normal(std = 0.5)
    state centre: f32[3] = ones()
    y = x - reshape(centre, [1, 3])
    output y
    loss size = mean((x -> fc: linear{3}) ** 2) + mean(centre) * 0 + f32(count) * 0
    update {
        next count = count + 1
        next centre = 0.9 * centre + 0.1 * mean(x, axis = 0)
    }
    update { next shift = shift * 2 }
"""
TRAIN = "train M { batch 4 minimize size with sgd(lr = 0.1) }"


def queue_model() -> Model:
    return Model(compiled(body(QUEUE) + TRAIN)[0])


def test_a_state_is_kept_and_not_trained():
    graph = queue_model().graph
    states = {name: str(v.type) for name, v in graph.variables.items() if v.kind == "state"}
    assert states == {"count": "i64[]", "shift": "f32[2, 3]", "centre": "f32[3]"}
    assert set(parameters(graph)) == {"fc.weight", "fc.bias"}
    assert set(graph.buffers) == set(states)


def test_reads_see_the_old_value_and_updates_commit_together():
    model = queue_model()
    trainer = model.trainer(model.initialize(1), seed=0)
    begun = trainer.weights
    assert begun["count"] == 3 and begun["count"].dtype == np.int64
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    for step in (1, 2, 3):
        before = trainer.weights
        trainer.step({"x": rows})
        after = trainer.weights
        assert after["count"] == 3 + step
        np.testing.assert_allclose(
            after["centre"], 0.9 * before["centre"] + 0.1 * rows.mean(0), rtol=1e-6)
        np.testing.assert_array_equal(after["shift"], before["shift"] * 2)


def test_only_training_commits():
    graph = queue_model().graph
    assert set(train(graph).updates) == {"count", "shift", "centre"}
    assert not infer(graph).updates and not validate(graph).updates


def test_two_states_exchange_values():
    statements = """
    state a: f32[] = 1
    state b: f32[] = 2
    loss size = mean((x -> fc: linear{3}) ** 2) + (a + b) * 0
    update { next a = b   next b = a }
"""
    model = Model(compiled(body(statements) + TRAIN)[0])
    trainer = model.trainer(seed=0)
    for a, b in ((2, 1), (1, 2)):
        trainer.step({"x": np.ones((4, 3), np.float32)})
        assert (trainer.weights["a"], trainer.weights["b"]) == (a, b)


def test_a_layer_may_hold_a_state():
    layer = """
layer Counted{}(x) {
    state runs: i64[] = 0
    update { next runs = runs + 1 }
    return x + f32(runs)
}
"""
    graph = graph_of(body("output y = x -> a: Counted{} -> b: Counted{}", layer))
    assert list(graph.updates) == ["a.runs", "b.runs"]


def test_a_state_may_have_the_size_of_the_batch():
    statements = """
    state last: f32[B, 3] = zeros()
    output y = x + last
    loss size = mean((x -> fc: linear{3}) ** 2) + mean(last)
    update { next last = x }
"""
    model = Model(compiled(body(statements) + TRAIN)[0])
    assert str(model.graph.variables["last"].type) == "f32[B, 3]"
    for begin in (model.initialize, model.trainer):
        with pytest.raises(Refused) as refused:
            begin()
        assert [problem.code for problem in refused.value.problems] == ["N460"]


# ------------------------------------------------------------------ lists of inputs

CROPS = """
    input small[n]: f32[B, 3]
    input label[2]: i64[B] in 0..4
    fc = linear{4}
    total = cross_entropy(fc(x), label[0]) + cross_entropy(fc(x), label[1])
    for (v in small) { total = total + mean(fc(v) ** 2) }
    loss total
"""


def crops(n: str = "3") -> str:
    return body(CROPS.replace("loss total", "loss sum_ = total"), f"let n = {n}")


def test_a_list_of_inputs_is_a_list_of_tensors():
    graph = graph_of(crops())
    assert list(graph.inputs) == ["x", "small.0", "small.1", "small.2", "label.0", "label.1"]
    assert graph.ranges == {"label.0": (0, 4), "label.1": (0, 4)}
    assert outputs(graph) == {}


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "true", "5000", "[1]"])
def test_a_list_of_inputs_has_a_length(count):
    assert errors_of(crops(count)) == ["N216"]


def test_the_length_cannot_be_free():
    assert errors_of(body("input small[B]: f32[B, 3]\noutput y = small[0]")) == ["N216"]


def test_an_unused_one_is_told_once():
    text = body("input small[4]: f32[B, 3]\noutput y = x + small[0] + small[1]")
    assert codes_of(text) == ["N219"]


# ------------------------------------------------------------------ labels on `if`


def test_a_labelled_branch_adds_its_label_to_paths():
    statements = """
    deep: if (n > 1) { x = x -> fc: linear{3} -> out: linear{4} } else { x = x -> fc: linear{2} }
    single: if (n > 1) { x = relu(linear{5}(x)) }
    plain = 1
    if (n > 1) { plain = 2   x = x -> last: linear{plain} }
    output x
"""
    assert list(parameters(graph_of(body(statements, "let n = 2"))))[::2] == [
        "deep.fc.weight", "deep.out.weight", "single.weight", "last.weight"]
    assert list(parameters(graph_of(body(statements, "let n = 1")))) == [
        "deep.fc.weight", "deep.fc.bias"]


def test_labels_of_branches_are_labels_like_others():
    assert errors_of(body("a: if (true) { x = x -> b: linear{2} }\n"
                          "a: if (true) { x = x -> b: linear{2} }\noutput x")) == ["N209"]
    assert errors_of(body("for (i in 0..2) { a: if (true) { x = x -> b: linear{3} } }\n"
                          "output x")) == ["N210"]
    assert list(parameters(graph_of(body(
        "s: for (i in 0..2) { a: if (i == 1) { x = x -> b: linear{3} } }\noutput x")))) == [
        "s.1.a.b.weight", "s.1.a.b.bias"]
