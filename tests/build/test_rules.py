"""The nineteen rules of the language's meaning, each shown on the smallest file that breaks without
it. The other tests of the rooms look closer; this page is the rules, read as examples."""

from __future__ import annotations

import numpy as np
import pytest

from building import body, codes_of, compiled, errors_of, graph_of, operations, outputs, parameters
from building import picture, problems_of
from netdsl.analysis.summary import summarize
from netdsl.diagnostics import Refused
from netdsl.language.formatter import format_text
from netdsl.language.parser import parse
from netdsl.model import Model
from netdsl.rewrite.between import between
from netdsl.rewrite.phases import infer, train, validate
from netdsl.source import Source
from netdsl.training.graph import training_graph


def model_of(text: str, **attributes: object) -> Model:
    return Model(compiled(text, **attributes)[0])


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


# 1. Sharing is applying one instance twice.


def test_rule_1_one_instance_has_one_set_of_parameters():
    shared = graph_of(body("fc = linear{3}\noutput y = fc(fc(x))"))
    made_twice = graph_of(body("a = linear{3}\nb = linear{3}\noutput y = b(a(x))"))
    assert len(shared.parameters) == 2 and len(made_twice.parameters) == 4
    assert summarize(shared).inference.parameters == 12
    tied = graph_of(body("fc = linear{3, bias = false}\n"
                         "output y = matmul(fc(x), transpose(fc.weight))"))
    assert list(tied.parameters) == ["fc.weight"]


def test_rule_1_later_applications_find_what_the_first_made():
    layer = ("layer Fit{}(x: [B, d]) -> [B, 3] "
             "{ return x -> proj: linear{3} when d != 3 -> out: linear{3} }")
    assert errors_of(body("f = Fit{}\noutput y = f(relu(x)) + f(concat(x, x, axis = 1))",
                          layer)) == ["N223"]
    assert errors_of(body("f = Fit{}\noutput y = x", layer)) == ["N212"]


# 2. Copies carry their update rule, and say what becomes of buffers.

COPIED = """
    online = L{}
    target = ema(online, decay = 0.9POLICY)
    output y = online(x)
    loss apart = mean((online(x) - stop_grad(target(x))) ** 2)
"""


def copied(policy: str, norm: str = " -> bn: batchnorm{}") -> str:
    return body(COPIED.replace("POLICY", policy),
                f"layer L{{}}(x) {{ return x -> fc: linear{{4}}{norm} }}")


def test_rule_2_copies_follow_and_buffers_are_asked_for():
    assert errors_of(copied("")) == ["N250"] and errors_of(copied("", norm="")) == []
    graph = graph_of(copied(', buffers = "own"'))
    assert {name: copy.source for name, copy in graph.copies.items()} == {
        f"target.{part}": f"online.{part}"
        for part in ("fc.weight", "fc.bias", "bn.weight", "bn.bias")}
    assert graph.variables["target.bn.running_mean"].kind == "buffer"


# 3. stop_grad is of values, frozen of instances, over of an optimiser's step.


def test_rule_3_three_ways_not_to_train():
    statements = """
    a = linear{3}
    b = frozen(linear{3})
    c = linear{3}
    output y = c(b(stop_grad(a(x))))
    loss size = mean(y ** 2)
"""
    program = "train M { minimize size over c with sgd(lr = 1) freeze a }"
    model = model_of(body(statements) + program)
    _, gradients = model.gradients({"x": ones(2, 3)}, model.initialize())
    assert set(gradients) == {"a.weight", "a.bias", "c.weight", "c.bias"}
    assert not gradients["a.weight"].any() and gradients["c.weight"].any()
    moving = set(training_graph(model.graph, model.program).updates) - {"@step"}
    assert moving == {"c.weight", "c.bias"}


# 4. Phases are slices, never tags.

HEADS = """
    input label: i64[B] in 0..4
    h = x -> trunk: linear{8} -> bn: batchnorm{} -> dropout(0.5)
    logits = h -> head: linear{4}
    output logits
    aux = cross_entropy(h -> aux: linear{4}, label)
    loss ce = cross_entropy(logits, label) + 0.3 * aux
    metric top1 = accuracy(logits, label)
"""


def test_rule_4_an_auxiliary_head_trains_and_is_not_exported():
    graph = graph_of(body(HEADS))
    assert "aux.weight" not in infer(graph).variables and "aux.weight" in train(graph).variables
    assert "dropout" in operations(train(graph)) and "dropout" not in operations(infer(graph))
    assert not validate(graph).updates and train(graph).updates
    summary = summarize(graph)
    assert summary.training.parameters - summary.inference.parameters == 4 * 8 + 4


def test_rule_4_any_named_values_are_ends_of_a_slice():
    slice = infer(between(graph_of(body(HEADS)), ["logits"], ["h"]))
    assert list(slice.inputs) == ["h"] and set(slice.variables) == {"head.weight", "head.bias"}


# 5. Outputs are named; a loss is one number.


def test_rule_5_a_loss_is_a_number():
    assert outputs(graph_of(body("output y = x * 2\nloss s = mean(y)"))) == {"y": "f32[B, 3]"}
    problem, = problems_of(body("output x\nloss s = x * 2"))
    assert problem.code == "N305" and problem.describe().suggestion == "`mean(x * 2)`"


# 6. Optimisation is a program of its own.

TWO = """
    trunk = linear{4}
    head = linear{4}
    output y = head(trunk(x))
    loss size = mean(y ** 2)
"""


@pytest.mark.parametrize("program, code", [
    ("minimize size over head with sgd(lr = 1)", "N421"),
    ("minimize size over head, trunk with sgd(lr = 1)\nminimize size over trunk with sgd(lr = 2)",
     "N422"),
    ("minimize size over haed with sgd(lr = 1)", "N423"),
    ("minimize size over head with sgd(lr = 1)\nminimize size over rest with adam(lr = 1)", None),
    ("minimize size over *.weight with sgd(lr = 1)\nfreeze trunk.bias, head.bias", None),
])
def test_rule_6_every_parameter_is_trained_once_or_frozen(program, code):
    told = errors_of(body(TWO) + f"train M {{ {program} }}")
    assert told == ([] if code is None else [code])


def test_rule_6_several_minimize_of_one_loss_share_a_backward_pass():
    text = body(TWO) + ("train M { minimize size over trunk with sgd(lr = 1)\n"
                        "minimize size over head with adam(lr = warmup(1) -> cosine(0.1)) }")
    model = model_of(text)
    counts = operations(training_graph(model.graph, model.program))
    assert counts.count("linear") == 2 and counts.count("sgd") == counts.count("adam") == 2


# 7. `accumulate n` is checked with the batch it divides.


def test_rule_7_accumulate_divides_the_batch():
    program = "train M {{ batch 8 accumulate {n} minimize size with sgd(lr = 1) }}"
    assert errors_of(body(TWO) + program.format(n=4)) == []
    assert len(errors_of(body(TWO) + program.format(n=3))) == 1
    assert len(errors_of(body(TWO) + program.format(n="0"))) == 1


# 8. State: reads see the old value, updates commit together.


def test_rule_8_state_and_free_parameters():
    statements = """
    state count: i64[] = 0
    parameter shift: f32[1, 3] = normal(std = 0.02)
    output y = x + shift
    loss size = mean((x + shift) ** 2) + 0 * f32(count)
    update { next count = count + 1 }
"""
    model = model_of(body(statements) + "train M { batch 2 minimize size with sgd(lr = 0.1) }")
    trainer = model.trainer(seed=0)
    trainer.step({"x": ones(2, 3)})
    assert trainer.weights["count"] == 1
    twice = statements + "update { next count = count }"
    assert errors_of(body(twice)) == ["N253"]


# 9. Randomness comes from named, seeded streams, and not in inference.


def test_rule_9_the_same_seed_draws_the_same():
    model = model_of(body("output y = x\nloss s = mean((x -> f: linear{9} -> dropout(0.5)) ** 2)"))
    weights = model.initialize(1)
    losses = [model.run({"x": ones(4, 3)}, weights, "train", seed=seed)["s"] for seed in (5, 5, 6)]
    assert losses[0] == losses[1] != losses[2]
    np.testing.assert_array_equal(weights["f.weight"], model.initialize(1)["f.weight"])


def test_rule_9_an_added_layer_changes_no_other():
    small = model_of(body("output y = x -> a: linear{3} -> dropout(0.5)"))
    large = model_of(body("output y = x -> b: linear{3} -> a: linear{3} -> dropout(0.5)"))
    np.testing.assert_array_equal(small.initialize(7)["a.weight"], large.initialize(7)["a.weight"])


# 10. Sizes: exact, symbolic, proved or refuted or assumed.


@pytest.mark.parametrize("size, value", [("100 * (1 - 0.9)", 10), ("7 // 2", 3),
                                         ("ceil(7 / 2)", 4), ("2 ** 3 % 5", 3)])
def test_rule_10_arithmetic_is_exact(size, value):
    assert parameters(graph_of(body(f"output y = x -> fc: linear{{{size}}}")))["fc.bias"] == (
        f"[{value}]")
    assert errors_of(body("output y = reshape(x, [B, 7 / 2])")) != []


def test_rule_10_known_names_constrain_and_new_ones_bind():
    layer = "layer L{d}(x: [N, d, H]) -> [N, H, d] { return transpose(x) }"
    assert errors_of(body("output y = x -> l: L{4}", layer, "f32[B, 4, 5]")) == []
    assert errors_of(body("output y = x -> l: L{4}", layer, "f32[B, 5, 5]")) == ["N303"]
    near = "layer L{heads}(x: [N, head]) { return x * heads }"
    assert codes_of(body("output y = x -> l: L{4}", near)) == ["N231"]


def test_rule_10_what_cannot_be_proved_is_assumed_and_listed():
    assert errors_of(body("input z: f32[B, 4]\noutput y = x + z")) == ["N301"]
    graph = graph_of(body("input z: f32[B, T]\noutput y = x + z", x="f32[B, S]"))
    assert len(graph.assumptions) == 1
    model = model_of(body("input z: f32[B, T]\noutput y = x + z", x="f32[B, S]"))
    assert model.run({"x": ones(2, 5), "z": ones(2, 5)}, {})["y"].shape == (2, 5)
    with pytest.raises(Refused):
        model.run({"x": ones(2, 5), "z": ones(2, 4)}, {})


def test_rule_10_parameters_and_conditions_are_fixed():
    assert errors_of(body("output y = x -> fc: linear{B}")) == ["N205"]
    assert errors_of(body("if (S > 3) { y = x } else { y = relu(x) }\noutput y",
                          x="f32[B, S]")) == ["N215"]
    assert codes_of(body("output y = x -> l: L{}", "layer L{}(x: [_, ?]) { return relu(x) }")) == [
        "N309"]


# 11. Every for, if and when is compile time, and bounded.


def test_rule_11_a_loop_carries_what_it_rebinds():
    graph = graph_of(body("s: for (i in 0..3) { x = x -> linear{3 + i} }\noutput x"))
    assert outputs(graph) == {"x": "f32[B, 5]"}
    ended = "for (i in 0..2) { last = i }\noutput y = x * last"
    assert errors_of(body(ended)) == ["N241"]
    assert errors_of(body("if (true) { last = 2 }\noutput y = x * last")) == []


@pytest.mark.parametrize("statements, code", [
    ("if (x > 0) { y = x } else { y = -x }\noutput y", "N215"),
    ("for (i in 0..1000) { for (j in 0..1000) { for (k in 0..1000) { x = x } } }\noutput x",
     "N701"),
])
def test_rule_11_what_is_not_compile_time_or_has_no_end(statements, code):
    assert errors_of(body(statements)) == [code]
    recursive = "layer R{}(x) { return x -> again: R{} }"
    assert errors_of(body("output y = x -> r: R{}", recursive)) == ["N221"]


# 12. Names of parameters are label paths.


def test_rule_12_names_of_parameters():
    statements = """
    stem = linear{3, bias = false}
    x = stem(x) -> fc: linear{3, bias = false}
    stage: for (i in 0..2) {
        x = x -> linear{3, bias = false}
        block: for (j in 0..1) { x = x -> a: linear{3, bias = false} -> b: linear{3, bias = false} }
    }
    output y = x -> linear{3, bias = false}
"""
    graph = graph_of(body(statements))
    assert list(graph.parameters) == [
        "stem.weight", "fc.weight", "stage.0.weight", "stage.0.block.0.a.weight",
        "stage.0.block.0.b.weight", "stage.1.weight", "stage.1.block.0.a.weight",
        "stage.1.block.0.b.weight", "linear_0.weight"]
    assert codes_of(body(statements)) == ["N227"]


# 13. Imports stay in their folder.


def test_rule_13_imports_are_relative_and_stay_inside(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "outside.net").write_text("let width = 3\n")
    (tmp_path / "project" / "inside.net").write_text("let width = 3\n")
    from building import compiled_source

    def told(path: str) -> list[str]:
        text = f'use "{path}" as m\n{body("output y = x * m.width").removeprefix("net 1")}'
        source = Source("project.net", text, tmp_path / "project" / "project.net")
        try:
            return [p.code for p in compiled_source(source)[1].problems]
        except Refused as refused:
            return [p.code for p in refused.problems]

    assert told("./inside.net") == []
    assert set(told("../outside.net")) == {"N224"}
    assert set(told("https://example.org/a.net")) == {"N224"}


# 14. Strict: nothing unknown, nothing unused, nothing implicit.


@pytest.mark.parametrize("statements, code, way", [
    ("output y = x -> fc: linear{c = 3, baus = false}", "N202", "bias"),
    ("output y = rellu(x)", "N201", "relu"),
    ("input z: f32[B, 3]\noutput y = x", "N219", None),
    ("output y = x + reshape(x, [B, 1, 3])", "N301", None),
    ("output y = x\nz = x -> fc: linear{3}", "N230", None),
])
def test_rule_14_strict(statements, code, way):
    problem, = problems_of(body(statements))
    assert problem.code == code and (way is None or way in picture((problem,)))


# 15. Types: literals adapt, nothing else converts.


def test_rule_15_types():
    assert outputs(graph_of(body("output y = x * 2 > 1", x="f64[B]"))) == {"y": "bool[B]"}
    assert errors_of(body("input n: i64[B, 3]\noutput y = x + n")) == ["N301"]
    assert errors_of(body("input n: i64[B, 3]\noutput y = x + f32(n)")) == []
    assert errors_of(body("output y = x", x="bf16[B]")) == []
    model = model_of(body(HEADS))
    with pytest.raises(Refused, match="row 1|\\[1\\]"):
        model.run({"x": ones(2, 3), "label": np.array([3, 4])}, model.initialize(), "validate")


# 16. assert with a message.


def test_rule_16_assert():
    layer = ('layer L{heads}(x: [B, d]) { assert d % heads == 0 else "{d} is no multiple of {heads}'
             ' {0.__class__}"\n return x }')
    assert errors_of(body("output y = x -> l: L{3}", layer)) == []
    problem, = problems_of(body("output y = x -> l: L{2}", layer))
    assert problem.code == "N217"
    assert "3 is no multiple of 2 {0.__class__}" in problem.describe().message


# 17. Meaning is the reference kernel: tests/ops compares every lowering with it.


def test_rule_17_convolution_is_cross_correlation():
    text = body("output y = x -> c: conv{1, 3, bias = false}", x="f32[B, 1, 3]")
    result = model_of(text).run(
        {"x": np.array([[[1, 2, 3]]], np.float32)},
        {"c.weight": np.array([[[1, 10, 100]]], np.float32)})
    assert result["y"].item() == 321


# 18. The printer is canonical.


def test_rule_18_formatting():
    text = body("y=x->fc:linear{ 3 }# kept\n   output   y")
    once = format_text(Source("a.net", text))
    assert "# kept" in once and format_text(Source("a.net", once)) == once
    assert parse(Source("a.net", once)) == parse(Source("a.net", text))


# 19. Overrides use one spelling.


def test_rule_19_overrides():
    text = ("net 1\nmodel M{c = 3, d = 2 * c} { input x: f32[B, 3]\n"
            "output y = x -> fc: linear{d}\nloss s = mean(y) }\n"
            "train M { let rate = 0.1\nbatch 8 minimize s with sgd(lr = rate) }")
    assert outputs(graph_of(text, c=5)) == {"y": "f32[B, 10]"}
    built, _ = compiled(text, settings={"batch": "4", "rate": "0.5"})
    program = built.program
    assert program.batch == 4
    assert program.steps[0].minimize[0].optimizer.keywords["lr"] == 0.5
    with pytest.raises(Refused, match="N202"):
        compiled(text, width=3)
