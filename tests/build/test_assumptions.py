"""Relations between free sizes: proved, refuted, or assumed; what is assumed is listed, kept where
it is needed, and checked when data arrive or the training program says the batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from building import body, codes_of, compiled, graph_of, outputs, picture, problems_of
from netdsl.backends.numpy import Runner
from netdsl.build.builder import MOST_ASSUMPTIONS
from netdsl.cli import group
from netdsl.diagnostics import Refused
from netdsl.diagnostics.shapes import HoleFound
from netdsl.ir.assumptions import strongest
from netdsl.ir.graph import Graph
from netdsl.ir.op import ShapeError
from netdsl.ir.verify import verify
from netdsl.layers.initializers import initialize
from netdsl.model import Model
from netdsl.rewrite.phases import PHASES, infer, phase, train
from netdsl.rewrite.specialize import specialize

GOLDEN = Path(__file__).parent / "assumptions"
SEQUENCES = "    input a: f32[B, S, 8]\n    input b: f32[B, T, 8]\n"


def model(statements: str, inputs: str = "", before: str = "") -> str:
    """A file with a model of these inputs and statements."""
    inputs = inputs or "    input x: f32[B, 3, H, W]\n"
    return f"net 1\n{before}\nmodel M {{\n{inputs}{statements}\n}}\n"


def relations(graph: Graph) -> list[str]:
    return [str(each.relation) for each in graph.assumptions]


ASSUMED = {  # statements, their inputs, and all that is assumed
    "a window": ("output y = x -> c: conv{4, k = 7, pad = 1}", "", ["H >= 5", "W >= 5"]),
    "a window behind strides": (
        "for (i in 0..2) { x = x -> maxpool(2) }\noutput y = avgpool(x, 3)", "",
        ["H >= 2", "W >= 2", "H >= 4", "W >= 4", "H >= 12", "W >= 12"]),
    "a window that surely fits": (
        "output y = x -> c: conv{4, k = 3, pad = 1} -> maxpool(3, stride = 2, pad = 1)", "", []),
    "a last window": (
        "output y = maxpool(x, 2, stride = 4, ceil = true)", "    input x: f32[B, 3, L]\n",
        ["L >= 2", "(L + 1) % 4 >= 2"]),
    "a last window of even pooling": (
        "output y = maxpool(x, 3, stride = 2, ceil = true)", "    input x: f32[B, 3, L]\n",
        ["L >= 3"]),
    "a sum": ("output y = a + b", SEQUENCES, ["S == T"]),
    "one cause": (
        "y = a + b\nz = concat(a * 2, b, axis = 2) + concat(y, y, axis = 2)\n"
        "output o = matmul(a, transpose(b)) + matmul(b, transpose(a))", SEQUENCES, ["S == T"]),
    "a concatenation": ("output y = concat(a, b, axis = 2)", SEQUENCES, ["S == T"]),
    "a product": ("output y = matmul(transpose(a), b)", SEQUENCES, ["S == T"]),
    "a choice": ("output y = where(a > 0, a, b)", SEQUENCES, ["S == T"]),
    "there and back": (
        "output y = x + resize(maxpool(x, 2), 2)", "", ["H >= 2", "W >= 2", "H % 2 == 0",
                                                          "W % 2 == 0"]),
    "two ways to halve": (
        "output y = maxpool(x, 2) + (x -> c: conv{3, k = 3, stride = 2, pad = 1})", "",
        ["H >= 2", "W >= 2", "H % 2 == 0", "W % 2 == 0"]),
    "a reshape": ("output y = reshape(a, [B, S // 4, 32])",
                  "    input a: f32[B, S, 8]\n", ["S % 4 == 0"]),
    "a reshape of the batch": ("output y = reshape(a, [B // 2, 16])",
                               "    input a: f32[B, 8]\n", ["B % 2 == 0"]),
    "a slice": ("output y = a[_, 3..S - 2]", "    input a: f32[B, S]\n", ["S >= 5"]),
    "an element": ("output y = a[_, 4]", "    input a: f32[B, S]\n", ["S >= 5"]),
    "the last element": ("output y = a[_, S - 1]", "    input a: f32[B, S]\n", []),
    "a table": (
        "parameter pos: f32[512, 8] = zeros()\noutput y = a + reshape(pos[0..S], [1, S, 8])",
        "    input a: f32[B, S, 8]\n", ["S <= 512"]),
    "an expansion": ("output y = expand(a, [B, T, 8])", SEQUENCES, ["S == T"]),
    "rows and labels": (
        "output y = a\nloss l = cross_entropy(a, b)",
        "    input a: f32[B, 8]\n    input b: i64[N] in 0..8\n", ["B == N"]),
    "a number": ("output y = matmul(a, zeros([B, 5, 2]))", "    input a: f32[B, 3, S]\n",
                 ["S == 5"]),
    "a tensor that is none": ("y = zeros([B, S - 3, 8])\noutput z = concat(a, y, axis = 1)",
                              "    input a: f32[B, S, 8]\n", ["S >= 3"]),
    "a division": ("output y = a * (12 // (S - 3)) + S % (B + 1)", "    input a: f32[B, S]\n",
                   ["S != 3"]),
    "the largest of none": ("output y = max(a[_, 3..S], axis = 1)", "    input a: f32[B, S]\n",
                            ["S >= 3", "S >= 4"]),
    "an assertion": ('assert S % 4 == 0 else "no"\noutput y = reshape(a, [B, 4, S // 4, 8])',
                     "    input a: f32[B, S, 8]\n", ["S % 4 == 0"]),
    "several assertions": ('assert H <= W and W <= 512 else "no"\noutput y = x', "",
                           ["W >= H", "W <= 512"]),
    "a denied assertion": ('assert not (H < 8 or W < 8) else "no"\noutput y = x', "",
                           ["H >= 8", "W >= 8"]),
    "of two the only one that is left": ('assert H + 1 == H or W <= 8 else "no"\noutput y = x', "",
                                         ["W <= 8"]),
    "one of two is known": ('assert H < 1 or W >= 1 else "no"\noutput y = x', "", []),
    "fractions": ('assert H / 2 <= W else "no"\noutput y = x', "", ["2 * W >= H"]),
    "what an assertion proves": (
        'assert S == T else "no"\noutput y = a + b', SEQUENCES, ["S == T"]),
}


@pytest.mark.parametrize("statements, inputs, listed", ASSUMED.values(), ids=ASSUMED)
def test_what_cannot_be_proved_is_listed(statements, inputs, listed):
    if "expand" in statements:
        statements += "\nloss l = mean(b)"
    assert relations(graph_of(model(statements, inputs))) == listed


SIGNATURES = {
    "an operand": ("layer Add{}(x: [B, S, c], y: [B, S, c]) { return x + y }", ["S == T"],
                   "`y` of Add in add"),
    "a result": ("layer Add{}(x: [B, S, c], y: [B, T, c]) -> [B, T, c] { return x * mean(y) }",
                 ["S == T"], "the result of Add in add"),
    "a body": ("layer Add{}(x, y) { return x + y }", ["S == T"], "`+` in add"),
    "a body that knows": (
        'layer Add{}(x: [B, S, c], y: [B, T, c]) { assert S == T else "no" return x + y }',
        ["S == T"], "assert in add"),
}


@pytest.mark.parametrize("layer, listed, what", SIGNATURES.values(), ids=SIGNATURES)
def test_layers_say_who_needs_it(layer, listed, what):
    graph = graph_of(model("output y = add: Add{}(a, b)", SEQUENCES, layer))
    assert relations(graph) == listed
    assert graph.assumptions[0].origin.startswith(f"{what}, test.net:")


REFUTED = {
    "a larger slice": ('assert S <= 8 else "no"\noutput y = a[_, 0..9]', "N225"),
    "another number": ("y = matmul(a, zeros([B, 8, 2]))\noutput z = a[_, 0..9]", "N225"),
    "a window": ('assert S <= 2 else "no"\noutput y = maxpool(a, 3)', "N302"),
    "an assertion": ('z = a[_, 8]\nassert S < 9 else "no"\noutput y = z', "N217"),
    "a remainder": (
        'assert S % 4 == 1 else "no"\noutput y = reshape(a, [B, 8, S // 2, 2])', "N302"),
}


@pytest.mark.parametrize("statements, code", REFUTED.values(), ids=REFUTED)
def test_what_is_assumed_refutes(statements, code):
    """And the message says what it was refuted by."""
    problem, = problems_of(model(statements, "    input a: f32[B, 8, S]\n").replace(
        "a[_, ", "a[_, _, "))
    assert problem.code == code
    assert any("is assumed (" in n or "is asserted (" in n for n in problem.describe().notes)


CONDITIONS = {"H > 16": True, "H >= 32 and W >= 1": True, "H < 32": False, "H == 8": False,
              "H % 32 == 0": None, "H >= W": None}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_know_what_is_asserted(condition):
    text = model(f'assert H >= 32 else "no"\nif ({condition}) {{ y = x }} else {{ y = x[_, 0] }}\n'
                 "output y")
    if CONDITIONS[condition] is None:
        assert codes_of(text) == ["N215"]
        return
    shown = "f32[B, 3, H, W]" if CONDITIONS[condition] else "f32[B, H, W]"
    assert outputs(graph_of(text)) == {"y": shown}


def test_assumptions_are_bounded():
    text = model(f"for (i in 0..{MOST_ASSUMPTIONS + 9}) {{ y = a[_, i * i..S] }}\noutput a",
                 "    input a: f32[B, S]\n")
    assert codes_of(text) == ["N701"]


def test_of_a_chain_of_bounds_the_last_is_told():
    graph = graph_of(model("for (i in 0..20) { x = avgpool(x, 3, stride = 1) }\noutput x"))
    assert len(graph.assumptions) == 40
    assert [str(each.relation) for each in strongest(graph.assumptions)] == ["H >= 41", "W >= 41"]


# ------------------------------------------------------------------ slices

QUEUE = """
    input image: f32[B, 4]
    input view: f32[B, 4]
    encoder = linear{4}
    assert 60 % B == 0 else "a queue of {K} and batches of {B}"
    output features = encoder(image)
    pairs = reshape(encoder(view), [B // 2, 8])
    loss l = mean(pairs ** 2)
"""


def test_a_slice_keeps_what_its_nodes_need():
    graph = graph_of(f"net 1\nmodel M{{K = 60}} {{{QUEUE}}}")
    assert relations(graph) == ["60 % B == 0", "B % 2 == 0"]
    kept = {name: relations(phase(graph, name)) for name in PHASES}
    # an assertion about the number of rows is for training, which chooses it
    assert kept == {"infer": [], "train": ["60 % B == 0", "B % 2 == 0"],
                    "validate": ["B % 2 == 0"]}


def test_an_assertion_stays_where_nodes_rest_on_it():
    text = model('assert B % 2 == 0 else "pairs"\noutput y = reshape(a, [B // 2, 16])\noutput a',
                 "    input a: f32[B, 8]\n")
    assert relations(infer(graph_of(text))) == ["B % 2 == 0"]


def test_an_assertion_that_comes_later_changes_no_slice():
    text = model('output a\nloss l = mean(reshape(a, [B // 2, 16]))\n'
                 'assert B % 2 == 0 else "pairs"', "    input a: f32[B, 8]\n")
    assert relations(infer(graph_of(text))) == []
    assert relations(train(graph_of(text))) == ["B % 2 == 0", "B % 2 == 0"]


def test_a_layers_assertion_stays_with_the_layer():
    layer = 'layer Long{}(x: [B, S, c]) { assert S >= 9 else "short" return relu(x) }'
    graph = graph_of(model("output y = a\nloss l = mean(long: Long{}(b))", SEQUENCES, layer))
    assert relations(infer(graph)) == [] and relations(train(graph)) == ["T >= 9"]


def test_what_no_input_tells_is_not_kept():
    text = model('assert T >= 9 else "short"\noutput y = a\nloss l = mean(b)', SEQUENCES)
    graph = graph_of(text)
    assert relations(infer(graph)) == [] and relations(train(graph)) == ["T >= 9"]


def test_known_sizes_settle_assumptions():
    graph = graph_of(model("output y = a + b", SEQUENCES))
    assert relations(specialize(graph, {"S": 5})) == ["T == 5"]
    assert relations(specialize(graph, {"S": 5, "T": 5})) == []
    with pytest.raises(ShapeError, match="S == T is not so"):
        specialize(graph, {"S": 5, "T": 6})


def test_gradients_flow_through_sizes_assumed_equal():
    """In [B, S] and [B, T] alike, to the parameters and to the place where a table was cut."""
    text = model("""
    parameter pos: f32[6, 8] = normal(std = 1.0)
    left = a -> p: linear{8}
    right = b + reshape(pos[0..S], [1, S, 8])
    output y = maxpool(concat(left * right, left - b, axis = 2), 2) + mean(right)
    loss l = mean(y ** 2)
    """, SEQUENCES)
    graph = graph_of(text)
    assert relations(graph) == ["S <= 6", "S == T"]
    other = graph_of(text.replace("[B, T, 8]", "[B, S, 8]"))
    generator = np.random.default_rng(0)
    fed = {n: generator.standard_normal((3, 5, 8)).astype("f4") for n in "ab"}
    results = []
    for each in (graph, other):
        built = Model(compiled(text)[0])
        built.graph = each
        verify(built._slice("gradients", ("l",), "f32"))
        results.append(built.gradients(fed, built.initialize(), "l"))
    (losses, gradients), (expected_losses, expected) = results
    assert losses == expected_losses and gradients.keys() == expected.keys()
    assert all(np.array_equal(gradients[name], expected[name]) for name in expected)
    assert np.any(gradients["pos"][:5]) and not np.any(gradients["pos"][5:])


# ------------------------------------------------------------------ data

NET = """net 1

layer Half{c}(x: [B, _, H, W]) { return x -> conv: conv{c, k = 3, stride = 2, pad = 1} }

model Segment{most = 64} {
    input image: f32[B, 3, H, W]
    input mask: f32[B, 1, h, W]
    assert H <= most and W <= most else "{H} by {W} is more than {most}"
    x = image -> stem: conv{4, k = 5, pad = 1}
    half = x -> half: Half{4}
    y = x + resize(half, 2)
    output y = y * mask[_, _, 1..h - 1, 1..W - 1]
}
"""
FED = {  # sizes of image and mask
    "n519_window": ((1, 3, 2, 8), (1, 1, 2, 8)),
    "n519_multiple": ((1, 3, 9, 8), (1, 1, 9, 8)),
    "n519_assertion": ((1, 3, 80, 70), (1, 1, 80, 70)),
    "n519_equal": ((1, 3, 10, 8), (1, 1, 12, 8)),
}


def told(graph: Graph, fed: dict[str, np.ndarray]) -> tuple:
    weights = initialize(graph, 0)
    try:
        Runner(graph, weights).run(fed)
    except Refused as refused:
        return refused.problems
    return ()


@pytest.mark.parametrize("name", FED)
def test_data_that_break_an_assumption(name, golden):
    image, mask = (np.zeros(shape, np.float32) for shape in FED[name])
    problems = told(infer(graph_of(NET)), {"image": image, "mask": mask})
    assert {problem.code for problem in problems} == {"N519"}
    golden(GOLDEN / f"{name}.txt", picture(problems))


def test_data_that_do_not():
    image, mask = np.zeros((2, 3, 10, 8), np.float32), np.zeros((2, 1, 10, 8), np.float32)
    assert told(infer(graph_of(NET)), {"image": image, "mask": mask}) == ()


def test_a_batch_is_held_against_what_is_asserted_of_it():
    program = "train M { data digits() batch 7 minimize l with sgd(lr = 0.1) }"
    inputs = "    input image: f32[B, 1, 8, 8]\n"
    text = model('assert 60 % B == 0 else "{B} rows"\nfc = linear{2}\n'
                 "output y = fc(flatten(image))\nloss l = mean(y)", inputs) + program
    problem, = problems_of(text)
    assert (problem.code, problem.message, problem.nearest) == ("N311", "7 rows", 6)
    built, _ = compiled(text, settings={"batch": "12"})
    assert built.program.batch == 12
    with pytest.raises(Refused, match="N311"):
        compiled(text, settings={"batch": "13"})


def test_what_only_outputs_need_leaves_the_batch_alone():
    program = "train M { data digits() batch 7 minimize l with sgd(lr = 0.1) }"
    text = model("fc = linear{2}\ny = fc(flatten(image))\noutput z = reshape(y, [B // 2, 4])\n"
                 "loss l = mean(y)", "    input image: f32[B, 1, 8, 8]\n") + program
    assert codes_of(text) == []


def test_the_onnx_file_says_what_it_assumes(tmp_path):
    import onnx

    built, _ = compiled(model("output y = a + b\noutput z = a[_, 8]", SEQUENCES))
    network = Model(built)
    network.to_onnx(tmp_path / "m.onnx", network.initialize())
    properties = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert properties == {"assumptions": "S == T\nS >= 9"}


# ------------------------------------------------------------------ holes

HOLES = {
    "an operand": ("l: L{}(x)", "layer L{}(x: [B, ?, H, W]) { return x }", ["axis 1 is 3"]),
    "a result": ("l: L{}(x)", "layer L{}(x) -> [B, 3, ?, ...] { return maxpool(x, 2) }",
                 ["axis 2 is H // 2"]),
    "a reshape": ("reshape(x, [B, ?])", "", ["axis 1 is 3 * H * W"]),
    "the first axis": ("reshape(x, [?, H, W])", "", ["axis 0 is 3 * B"]),
    "beside a quotient": ("reshape(x, [B, H // 2, ?, W])", "", ["axis 2 is (3 * H) // (H // 2)"]),
    "a shape with a name": ("reshape(x, shape)", "let shape = [2, ?]",
                            ["axis 1 is B * H * W + ((B * H * W) // 2)"]),
}


@pytest.mark.parametrize("value, before, notes", HOLES.values(), ids=HOLES)
def test_holes_are_filled_and_told(value, before, notes):
    problems = problems_of(model(f"output y = {value}", before=before))
    assert [problem.describe().message for problem in problems] == notes
    assert all(isinstance(problem, HoleFound) for problem in problems)


NO_HOLES = {
    "reshape(x, [?, ?])": "N302", "reshape(x, [B, 0, ?])": "N302", "zeros([B, ?])": "N205",
    "reshape(x[_, _, 0, 0], [B, 2, ?])": "N302", "x[_, ?]": "N110", "[?][0] + 1": "N218",
    "reshape(x, [B, -1])": "N205",
}


@pytest.mark.parametrize("value", NO_HOLES)
def test_where_a_hole_is_none(value):
    assert codes_of(body(f"output y = {value}", x="f32[B, 3, H, W]")) == [NO_HOLES[value]]


# ------------------------------------------------------------------ what is shown


def test_check_and_summary_list_them(tmp_path):
    path = tmp_path / "m.net"
    path.write_text(model(
        'assert H <= 64 else "{H} rows are too many"\ny = x -> stem: conv{4, k = 7}\n'
        "output z = y -> maxpool(2)"), "utf-8")

    def printed(*arguments: str) -> str:
        result = CliRunner().invoke(group, [*arguments, str(path)], prog_name="netdsl")
        assert result.exit_code == 0, result.output
        return result.stdout

    first, *below = printed("check").splitlines()
    assert first.startswith("M  592 parameters")
    assert below == [
        f"  assumes H <= 64 (assert, {path}:5)", f"  assumes H >= 8 (maxpool, {path}:7)",
        f"  assumes W >= 8 (maxpool, {path}:7)",
    ]
    assert "Assumes W >= 8 (maxpool, " in printed("summary")
    own, = json.loads(printed("check", "--json"))["models"]
    assert own["assumptions"] == json.loads(printed("summary", "--json"))["assumptions"]
    assert own["assumptions"][0] == {
        "relation": "H <= 64", "what": "assert", "layer": "", "place": f"{path}:5:1",
        "message": "H rows are too many",
    }
