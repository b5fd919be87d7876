"""From a graph to a file: verified before it is there, whole or not there, large or small."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

import netdsl.backends.onnx as room
from netdsl.backends.onnx import Exported, Session, export
from netdsl.backends.onnx.verify import difference, trials
from netdsl.diagnostics import Refused
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Graph
from netdsl.ops.conv import conv
from netdsl.ops.elementwise import cast, equal, log, relu, where
from netdsl.ops.layout import slice_
from netdsl.ops.loss import cross_entropy
from netdsl.ops.pool import max_pool
from netdsl.ops.reduction import argmax, mean
from sketch import B, Sketch

EXPORT = sys.modules[f"{room.__name__}.export"]  # the module, which the function hides


def network(width: int = 8) -> tuple[Graph, dict[str, np.ndarray]]:
    s = Sketch()
    x = s.input("x", B, 3, 6, 6)
    x = s(relu, s.norm(s.conv(x, "conv1", width), "bn"))
    x = s.conv(x, "conv2", width, bias=True)
    return s.graph(y=s(mean, x, axes=(2, 3))), s.weights


def codes(refused) -> list[str]:
    return [problem.code for problem in refused.value.problems]


def names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# ------------------------------------------------------------------ what is reported


def test_the_report_describes_the_file(tmp_path):
    path = tmp_path / "a.onnx"
    exported = export(*network(), path, opset=19)
    figures = path.stat().st_size, 4, 19, exported.largest_difference
    assert exported == Exported(path, *figures, data=None)
    assert 0 < exported.largest_difference < 1e-5
    assert export(*network(), path, verify=False).largest_difference is None
    assert names(tmp_path) == ["a.onnx"]


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        export(*network(), tmp_path / name, metadata={"a": "1", "b": "2"})
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


# ------------------------------------------------------------------ verification


def tanh_for_relu(emit, node):
    emit("Tanh", node.inputs, node.outputs)


def one_permille_more(emit, node):
    y = emit.intermediate("Relu", node.inputs, node.outputs[0].type)
    emit("Mul", [y, emit.constant(np.array(1.001, np.float32))], node.outputs)


def no_padding_behind(emit, node):
    pads = [before for before, _ in node.attrs.pads] + [0, 0]
    emit("Conv", node.inputs, node.outputs, pads=pads, strides=[1, 1])


def no_output(emit, node):
    pass


@pytest.mark.parametrize(("op", "facet", "code"), [
    (relu, tanh_for_relu, "N808"), (relu, one_permille_more, "N808"),
    (conv, no_padding_behind, "N806"), (mean, no_output, "N806"),
], ids=lambda case: getattr(case, "__name__", ""))
def test_a_wrong_facet_is_caught_and_the_old_file_stays(op, facet, code, tmp_path):
    path = tmp_path / "a.onnx"
    path.write_text("old")
    right = op.onnx
    object.__setattr__(op, "onnx", facet)  # ops are frozen
    try:
        with pytest.raises(Refused) as refused:
            export(*network(), path)
    finally:
        object.__setattr__(op, "onnx", right)
    assert codes(refused) == [code]
    assert path.read_text() == "old" and names(tmp_path) == ["a.onnx"]


def test_weights_that_were_folded_wrongly_are_caught(tmp_path, monkeypatch):
    model = sys.modules[f"{room.__name__}.model"]
    fold = model.folded

    def careless(graph, weights):
        graph, weights = fold(graph, weights)
        return graph, weights | {"conv1.bias": weights["conv1.bias"] * 1.01}

    monkeypatch.setattr(model, "folded", careless)
    with pytest.raises(Refused) as refused:
        export(*network(), tmp_path / "a.onnx")
    problem, = refused.value.problems
    assert (problem.code, problem.output) == ("N808", "y")
    assert 1e-4 < problem.difference < 1e-1
    export(*network(), tmp_path / "a.onnx", fold_batch_norm=False)


def test_outputs_that_are_nan_are_named(tmp_path):
    s = Sketch()
    x = s.input("x", B, 50)
    graph = s.graph(fine=s(relu, x), broken=s(log, x))
    with pytest.raises(Refused) as refused:
        export(graph, {}, tmp_path / "a.onnx")
    assert codes(refused) == ["N809"] and refused.value.problems[0].outputs == ("broken",)
    assert export(graph, {}, tmp_path / "a.onnx", verify=False).nodes == 2


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(("found", "expected", "result"), [
    ([1.0, 2.0], [1.0, 2.0], 0.0),
    ([1.0, 2.2], [1.0, 2.0], 0.1),
    ([0.0, 0.0], [0.0, 0.0], 0.0),
    ([0.0, 1e-30], [0.0, 0.0], INF),
    ([INF, 2.0], [INF, 2.0], 0.0),
    ([INF, 2.0], [-INF, 2.0], INF),
    ([INF, 2.0], [1.0, 2.0], INF),
    ([1.0, 2.0], [INF, 2.0], INF),
    ([NAN, 2.0], [1.0, 2.0], INF),
    ([1.0, 2.0], [NAN, 2.0], INF),
    ([NAN, 2.0], [NAN, 2.0], None),
    ([1.0], [1.0, 2.0], INF),
    ([], [], 0.0),
    ([1, 2, 3, 4], [1, 2, 3, 5], 0.25),
    ([True, False], [True, False], 0.0),
])
def test_difference(found, expected, result):
    assert difference(np.array(found), np.array(expected)) == pytest.approx(result)


def test_integers_are_drawn_from_their_range_and_two_batches_are_run(tmp_path):
    s = Sketch()
    logits, label = s.input("logits", B, 5), s.input("label", B, dtype="i64")
    s.ranges["label"] = (2, 5)
    guess = s(argmax, logits, axis=1)
    right = s(equal, guess, label)
    score = s(where, right, s(cast, guess, dtype="f32"), s(cast, label, dtype="f32"))
    loss, _ = s(cross_entropy, logits, label, smooth=0.1)
    graph = s.graph(right=right, guess=guess, score=score, loss=loss)
    assert [sizes for sizes, _ in trials(graph)] == [{"B": 1}, {"B": 3}]
    assert export(graph, {}, tmp_path / "a.onnx").largest_difference < 1e-5


def test_sizes_are_found_that_fit_the_network():
    s = Sketch()
    x = s.input("x", B, 1, symbol("T"))
    graph = s.graph(y=s(max_pool, x, kernel=(20,), stride=(1,), pads=((0, 0),), dilation=(1,)))
    assert [sizes for sizes, _ in trials(graph)] == [{"B": 1, "T": 32}, {"B": 3, "T": 32}]

    s = Sketch()
    long = s.input("x", B, symbol("T"))
    with pytest.raises(Refused) as refused:
        list(trials(s.graph(y=s(slice_, long, axis=1, start=0, stop=5000))))
    assert codes(refused) == ["N810"] and "T" in str(refused.value)


def test_what_the_runtime_cannot_do_is_said(tmp_path):
    s = Sketch()
    x = s.input("x", B, 2, 3, 3, dtype="f64")
    weight = s.input("w", 1, 2, 1, 1, dtype="f64")
    graph = s.graph(y=s(conv, x, weight, None, stride=(1, 1), pads=((0, 0),) * 2,
                        dilation=(1, 1)))
    with pytest.raises(Refused) as refused:
        export(graph, {}, tmp_path / "a.onnx")
    assert codes(refused) == ["N807"] and not names(tmp_path)
    export(graph, {}, tmp_path / "a.onnx", verify=False)


# ------------------------------------------------------------------ weights beside the model


def test_large_weights_lie_beside_the_model(tmp_path, monkeypatch):
    graph, weights = network(width=32)
    inside = export(graph, weights, tmp_path / "inside.onnx")
    monkeypatch.setattr(EXPORT, "EXTERNAL_DATA_ABOVE", 10_000)
    beside = export(graph, weights, tmp_path / "a.onnx")
    assert beside.data is not None and names(tmp_path) == sorted(
        ["a.onnx", beside.data.name, "inside.onnx"]
    )
    assert beside.path.stat().st_size < 5_000 < 36_000 < beside.data.stat().st_size
    assert beside.bytes == beside.path.stat().st_size + beside.data.stat().st_size
    assert beside.largest_difference == inside.largest_difference

    model = onnx.load(beside.path)
    inner = onnx.load(inside.path)
    assert model.graph.node == inner.graph.node
    for ours, theirs in zip(model.graph.initializer, inner.graph.initializer, strict=True):
        a, b = map(onnx.numpy_helper.to_array, (ours, theirs))
        np.testing.assert_array_equal(a, b)
    for tensor in onnx.load(beside.path, load_external_data=False).graph.initializer:
        place = {entry.key: entry.value for entry in tensor.external_data}
        assert int(place.get("offset", 0)) % 4096 == 0

    with pytest.raises(Refused) as refused:
        export(graph, weights, tmp_path / "b.onnx", external_data=False)
    assert codes(refused) == ["N805"]


def test_data_of_the_replaced_model_goes_and_nothing_else(tmp_path):
    path = tmp_path / "a.onnx"
    stranger = tmp_path / f"a.onnx.{'0' * 16}.data"
    stranger.write_text("not referred to")
    first = export(*network(), path, external_data=True)
    second = export(*network(width=9), path, external_data=True)
    assert names(tmp_path) == sorted(["a.onnx", second.data.name, stranger.name])
    assert first.data != second.data

    again = export(*network(width=9), path, external_data=True)
    assert again.data == second.data and again.data.is_file()
    export(*network(width=9), path)
    assert names(tmp_path) == sorted(["a.onnx", stranger.name])
    Session(path)


def test_a_failed_export_leaves_the_old_pair(tmp_path):
    path = tmp_path / "a.onnx"
    old = export(*network(), path, external_data=True)
    graph, weights = network(width=9)
    broken = weights | {"conv2.bias": np.full(9, np.nan, np.float32)}
    with pytest.raises(Refused) as refused:
        export(graph, broken, path, external_data=True)
    assert codes(refused) == ["N809"]
    assert names(tmp_path) == sorted(["a.onnx", old.data.name])
    assert Session(path).run({"x": np.zeros((1, 3, 6, 6), np.float32)})["y"].shape == (1, 8)


# ------------------------------------------------------------------ files

KILLED = """
import os, signal, sys
import numpy as np
from netdsl.backends.onnx import export
from netdsl.ops.matmul import linear
from sketch import B, Sketch

def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

s = Sketch(seed=int(sys.argv[2]))
s.path = "fc"
graph = s.graph(y=s(linear, s.input("x", B, 30), s.variable("fc.weight", 20, 30), None))
if sys.argv[3]:
    setattr(os, sys.argv[3], killed)
export(graph, s.weights, sys.argv[1], external_data=sys.argv[4] == "beside", verify=False)
"""


@pytest.mark.parametrize("place", ("inside", "beside"))
@pytest.mark.parametrize("moment", ("fsync", "replace"))
def test_killed_while_writing_the_old_file_is_whole(moment, place, tmp_path):
    path = tmp_path / "a.onnx"

    def write(seed: int, moment: str) -> int:
        arguments = [sys.executable, "-c", KILLED, str(path), str(seed), moment, place]
        return subprocess.run(arguments, env=paths(), timeout=60).returncode

    def weight() -> np.ndarray:
        return onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0])

    assert write(1, "") == 0
    first = weight()
    assert write(2, moment) == -9
    np.testing.assert_array_equal(weight(), first)
    assert write(2, "") == 0
    assert not np.array_equal(weight(), first)


def paths() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize("path", ("missing/a.onnx", ".", "nul\0.onnx", "x" * 300 + ".onnx"))
def test_places_that_cannot_be_written(path, tmp_path):
    with pytest.raises(Refused) as refused:
        export(*network(), tmp_path / path, verify=False)
    assert codes(refused) == ["N603"]


# ------------------------------------------------------------------ sessions


def test_sessions_take_paths_and_bytes(tmp_path):
    graph, weights = network()
    exported = export(graph, weights, tmp_path / "a.onnx")
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)
    runs = [Session(model, threads=1).run({"x": x})["y"]
            for model in (exported.path, str(exported.path), exported.path.read_bytes())]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])
    session = Session(exported.path)
    assert (session.inputs, session.outputs) == (("x",), ("y",))
    assert list(session.run({"x": x}, outputs=["y"])) == ["y"]


def test_sessions_refuse_in_our_words(tmp_path, capfd):
    exported = export(*network(), tmp_path / "a.onnx")
    content = exported.path.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.onnx").write_bytes(b"")
    for model in (tmp_path / "none.onnx", tmp_path, "/dev/zero", tmp_path / "cut.onnx",
                  tmp_path / "empty.onnx", b"", b"junk", content[:-100]):
        with pytest.raises(Refused) as refused:
            Session(model)
        assert codes(refused) == ["N807"]
    session = Session(exported.path)
    good = np.zeros((1, 3, 6, 6), np.float32)
    for inputs in ({}, {"z": good}, {"x": good[0]}, {"x": good[:, :2]},
                   {"x": good.astype(np.int64)}, {"x": good, "z": good}):
        with pytest.raises(Refused) as refused:
            session.run(inputs)
        assert codes(refused) == ["N807"]
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""  # the runtime's log stays quiet
