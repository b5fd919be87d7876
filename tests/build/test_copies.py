"""`ema` and `frozen`: copies that follow, layers that stay; and reaching into layers beforehand."""

from __future__ import annotations

import numpy as np
import pytest

import netdsl
from building import body, codes_of, compiled, errors_of, graph_of, operations, parameters
from netdsl.ir.graph import Graph
from netdsl.ir.verify import verify
from netdsl.model import Model
from netdsl.rewrite.phases import infer, train, validate

ENCODER = """
layer Encoder{}(x) { return x -> trunk: Trunk{} -> proj: linear{4} }
layer Trunk{}(x) { return x -> fc: linear{6, bias = false} -> bn: batchnorm{} -> relu }
"""
BYOL = """
    input tau: f32[]
    online = Encoder{}
    target = ema(online, decay = DECAY, buffers = POLICY)
    output features = target.trunk(x)
    loss apart = mean((online(x) - stop_grad(target(x))) ** 2)
"""
TRAIN = "train M { batch 8 minimize apart with sgd(lr = 0.5) }"


def byol(decay: str = "0.9", policy: str = '"ema"') -> str:
    statements = BYOL.replace("DECAY", decay).replace("POLICY", policy)
    used = " loss t = tau" if decay != "tau" else ""
    return body(statements + used, ENCODER, "f32[B, 3]") + TRAIN


def kinds(graph: Graph, kind: str) -> set[str]:
    return {name for name, variable in graph.variables.items() if variable.kind == kind}


def test_a_copy_holds_what_its_source_holds():
    graph = graph_of(byol())
    own = {name.removeprefix("online.") for name in graph.variables if name.startswith("online.")}
    assert {n.removeprefix("target.") for n in kinds(graph, "copy")} == own
    assert all(copy.source == name.replace("target", "online", 1)
               for name, copy in graph.copies.items())
    assert list(parameters(graph)) == [
        "online.trunk.fc.weight", "online.trunk.bn.weight", "online.trunk.bn.bias",
        "online.proj.weight", "online.proj.bias"]


def one_step(text: str, **fed: float) -> tuple[dict, dict]:
    """Weights before and after one step on random rows."""
    model = Model(compiled(text)[0])
    before = model.initialize(3)
    for name in before:  # away from where they are equal
        if name.startswith("target"):
            before[name] = before[name] + np.float32(0.25)
    trainer = model.trainer(before, seed=0)
    verify(trainer.graph)
    rows = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    trainer.step({"x": rows, **{name: np.float32(value) for name, value in fed.items()}})
    return before, trainer.weights


@pytest.mark.parametrize("decay, fed", [("0.9", {}), ("tau", {"tau": 0.9})])
@pytest.mark.parametrize("policy", ["ema", "copy", "own"])
def test_a_step_moves_the_copy_by_its_rule(decay, fed, policy):
    before, after = one_step(byol(decay, f'"{policy}"'), **fed)
    for name in before:
        if not name.startswith("target"):
            continue
        source, statistics = after[name.replace("target", "online")], "running" in name
        assert not np.allclose(source, before[name.replace("target", "online")], atol=1e-6)
        if not statistics or policy == "ema":
            expected = 0.9 * before[name] + 0.1 * source
        elif policy == "copy":
            expected = source
        else:
            assert not np.allclose(after[name], before[name])
            assert not np.allclose(after[name], source)
            continue
        np.testing.assert_allclose(after[name], expected, rtol=1e-6, atol=1e-7)


def test_copies_begin_as_their_sources():
    weights = Model(compiled(byol())[0]).initialize(0)
    for name, array in weights.items():
        if name.startswith("target"):
            np.testing.assert_array_equal(array, weights[name.replace("target", "online")])


def test_what_is_exported_is_what_outputs_need():
    graph = graph_of(byol())
    assert set(infer(graph).variables) == {
        name for name in graph.variables if name.startswith("target.trunk")}
    assert not infer(graph).copies and not validate(graph).copies
    assert set(train(graph).copies) == kinds(graph, "copy")


def test_a_copy_that_no_loss_sees_follows_too():
    statements = """
    inner = linear{2}
    average = ema(inner, decay = 0.5)
    output y = average(x)
    loss apart = mean(inner(x) ** 2)
"""
    before, after = one_step(body(statements) + TRAIN)
    expected = 0.5 * before["average.weight"] + 0.5 * after["inner.weight"]
    np.testing.assert_allclose(after["average.weight"], expected, rtol=1e-6)


def test_an_output_before_the_loss_leaves_the_statistics_alone():
    """The pass for `features` is not part of training, wherever it stands."""
    first = graph_of(byol(policy='"own"'))
    assert "batch_norm" in operations(train(first))
    counts = [operations(train(first)).count("batch_norm")]
    later = byol(policy='"own"').replace("output features = target.trunk(x)", "").replace(
        "** 2)", "** 2)\n    output features = target.trunk(x)")
    counts.append(operations(train(graph_of(later))).count("batch_norm"))
    assert counts == [2, 2]


# ------------------------------------------------------------------ frozen

FROZEN = """
    base = frozen(Encoder{})
    y = x -> head: linear{3} -> base -> dropout(0.5)
    output y
    loss apart = mean(y ** 2)
"""


def test_frozen_layers_run_in_inference_mode_and_do_not_move():
    before, after = one_step(body(FROZEN, ENCODER) + TRAIN)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"head.weight", "head.bias"}
    graph = graph_of(body(FROZEN, ENCODER) + TRAIN)
    assert "batch_norm" not in operations(train(graph)) and "dropout" in operations(train(graph))
    assert set(graph.trainable) == {"head.weight", "head.bias"}
    assert len(graph.parameters) == 7


def test_frozen_is_a_property_of_one_instance():
    statements = """
    base = frozen(linear{3})
    other = linear{3}
    output y = x -> base -> other
"""
    graph = graph_of(body(statements))
    assert list(graph.parameters) == ["base.weight", "base.bias", "other.weight", "other.bias"]
    assert list(graph.trainable) == ["other.weight", "other.bias"]


def test_a_layer_of_a_file_may_hold_frozen_layers():
    layer = """
layer Lora{c, r = 2}(x: [B, d]) -> [B, c] {
    base = frozen(linear{c, bias = false})
    return base(x) + (x -> down: linear{r, bias = false} -> up: linear{c, bias = false})
}
"""
    graph = graph_of(body("a = Lora{3}\noutput y = a(a(x))", layer))
    assert parameters(graph) == {"a.base.weight": "[3, 3]", "a.down.weight": "[2, 3]",
                                 "a.up.weight": "[3, 2]"}
    assert list(graph.trainable) == ["a.down.weight", "a.up.weight"]


# ------------------------------------------------------------------ before they are applied


def test_a_part_can_be_applied_before_the_whole():
    early = body("e = Encoder{}\noutput f = e.trunk(x)\noutput y = e(x)", ENCODER)
    late = body("e = Encoder{}\noutput y = e(x)\noutput f = e.trunk(x)", ENCODER)
    assert parameters(graph_of(early)) == parameters(graph_of(late))
    rows = {"x": np.ones((2, 3), np.float32)}
    models = [Model(compiled(text)[0]) for text in (early, late)]
    results = [model.run(rows, model.initialize(0)) for model in models]
    np.testing.assert_array_equal(results[0]["f"], results[1]["f"])
    np.testing.assert_array_equal(results[0]["y"], results[1]["y"])


def test_deeper_parts_and_parameters_too():
    statements = """
    e = Encoder{}
    output w = e.trunk.fc.weight
    output f = x -> e.trunk.fc
    output y = e(x)
"""
    graph = graph_of(body(statements, ENCODER))
    assert [str(v.type) for v in graph.outputs.values()] == ["f32[6, 3]", "f32[B, 6]", "f32[B, 4]"]
    assert len(graph.parameters) == 5


def test_what_never_comes_is_told_once():
    assert errors_of(body("e = Encoder{}\noutput f = e.torso(x)\noutput y = e(x)", ENCODER)) == [
        "N232"]
    assert errors_of(body("e = Encoder{}\noutput f = e.trunk(x)", ENCODER)) == ["N232"]


def test_no_message_stands_twice_for_the_two_passes():
    text = body("e = Encoder{}\noutput f = e.trunk(x)\noutput y = e(x)\nz = linear{4}", ENCODER)
    assert codes_of(text).count("N212") == 1


def test_the_picture_of_a_model_that_reaches_ahead():
    graph = graph_of(body("e = Encoder{}\noutput f = e.trunk(x)\noutput y = e(x)", ENCODER))
    depths = {row.path: row.depth for row in netdsl.model.summarize(graph).layers}
    assert depths["e"] == 0 and depths["e.trunk"] == depths["e.proj"] == 1
