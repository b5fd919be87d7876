"""One sample of PyTorch's through our compiler: text, graph, shapes, reference kernels, engine,
gradients, each held against what PyTorch made of it, in float64."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

import numpy as np
import onnxruntime
import torch
from interpret import interpret
from opinfo_phrases import Operand, Phrase, Unsaid

from netdsl.autodiff import differentiate
from netdsl.backends.numpy import Runner
from netdsl.backends.onnx import to_model
from netdsl.build.modules import load_module
from netdsl.compiler import build, choose
from netdsl.diagnostics import Refused, Report
from netdsl.ir.graph import Emitter, Graph, Initializer, Value, Variable
from netdsl.ir.op import ElementError, NotDefined
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import add, multiply
from netdsl.ops.reduction import sum_
from netdsl.rewrite.phases import infer
from netdsl.rewrite.rebuild import prune
from netdsl.rewrite.specialize import specialize
from netdsl.source import Source

SINGLE, LARGEST = 2e-4, 1e3  # for float32: relative, and the largest number
FORWARD, BACKWARD = 1e-10, 1e-9  # relative, as `rtol` of NumPy's assert_allclose
COARSE = {"nn.functional.celu", "nn.functional.hardsigmoid"}  # constants of float32 in PyTorch
Row = Callable[..., str | tuple[str, ...] | Phrase]
PASSED, REFUSED, WRONG = "passed", "refused", "wrong"


@dataclass(frozen=True)
class Verdict:
    """What became of a sample; `reason` is empty where it passed."""

    outcome: str
    reason: str = ""
    sample: str = ""


def samples_of(op: Any, most: int) -> list[Any]:
    """PyTorch's samples for an operator, at most so many of them, drawn evenly."""
    torch.manual_seed(0)
    try:
        made = list(op.reference_inputs("cpu", torch.float64, requires_grad=True))
        moves = torch.Tensor.requires_grad.__get__
    except ValueError:  # some make masks by the same call as floats, and ask gradients of both
        torch.manual_seed(0)
        made = list(op.reference_inputs("cpu", torch.float64, requires_grad=False))
        moves = torch.is_floating_point
    if len(made) > most:
        made = Random(0).sample(made, most)
    for sample in made:
        if isinstance(sample.args, torch.Tensor):  # a tuple was meant
            sample.args = (sample.args,)
    leaves: dict[int, torch.Tensor] = {}  # as they lie in memory, which may be in no order

    def leaf(part: Any) -> Any:
        if not isinstance(part, torch.Tensor):
            return part
        if id(part) not in leaves:
            leaves[id(part)] = part.detach().requires_grad_(moves(part))
        return leaves[id(part)]

    return [sample.transform(leaf) for sample in made]


def tensors_in(part: Any) -> Iterator[torch.Tensor]:
    if isinstance(part, torch.Tensor):
        yield part
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from tensors_in(item)
    elif isinstance(part, dict):
        yield from tensors_in(list(part.values()))


def judged(op: Any, sample: Any, row: Row, check: Callable[..., None]) -> Verdict:
    """The verdict of one of the checks below on one sample."""
    shown = summary(sample)
    try:
        check(op, sample, row)
    except Unsaid as reason:
        return Verdict(REFUSED, str(reason), shown)
    except Refused as refusal:
        first = refusal.problems[0].describe()
        return Verdict(REFUSED, f"{first.code}: {general(first.message)}", shown)
    except (ElementError, NotDefined) as refusal:
        return Verdict(REFUSED, general(str(refusal)), shown)
    except AssertionError as difference:
        return Verdict(WRONG, " ".join(str(difference).split())[:300], shown)
    except Exception as fault:  # noqa: BLE001 - whatever else comes out is a fault of ours
        return Verdict(WRONG, f"{type(fault).__name__}: {fault}"[:300], shown)
    return Verdict(PASSED, sample=shown)


def general(message: str) -> str:
    """A message without the names and sizes of the sample, so that reasons can be counted."""
    message = re.sub(r"`[^`]*`", "`…`", message)
    return re.sub(r"\[[^\]]*\]|-?\d+(\.\d+)?(e-?\d+)?", "…", message)


def summary(sample: Any) -> str:
    def shown(part: Any) -> str:
        if isinstance(part, torch.Tensor):
            return f"{part.dtype}{list(part.shape)}".removeprefix("torch.")
        if isinstance(part, (list, tuple)):
            return f"[{', '.join(map(shown, part))}]"
        return repr(part)

    named = [f"{name}={shown(value)}" for name, value in sample.kwargs.items()]
    return ", ".join([*map(shown, (sample.input, *sample.args)), *named])


# ------------------------------------------------------------------ the two sides


def check_numbers(op: Any, sample: Any, row: Row) -> None:
    """Shapes, results and gradients in float64, by the reference kernels and by the engine.

    Raises AssertionError where ours are not PyTorch's; Unsaid, Refused, ElementError or NotDefined
    where the sample cannot be said or run.
    """
    operands, phrase = said(row, sample)
    graph, fed = written(phrase, operands, "f64")
    expected = theirs_of(op, sample)
    ours = list(graph.outputs.values())
    assert len(ours) == len(expected), f"{len(ours)} results, PyTorch has {len(expected)}"
    for y, theirs in zip(ours, expected):
        told, is_so = y.shape, tuple(theirs.shape)
        assert told == is_so, f"the shape rule tells {told}, PyTorch {is_so}"

    seeds, slopes = autograd(expected, operands)
    names = {x: name for name, x in (*((x.name, x) for x in operands), *phrase.owned.items())}
    for x, slope in slopes.items():
        assert names[x] in fed or not np.any(slope), f"{x} is not in the text, and has a gradient"
    moving = {names[x]: slope for x, slope in slopes.items() if names[x] in fed}
    graph = with_gradients(graph, moving, seeds)
    variables = {name: fed[name] for name in graph.variables}
    inputs = {name: fed[name] for name in graph.inputs if name in fed}
    inputs |= {f"seed {i}": seed for i, seed in seeds.items() if f"seed {i}" in graph.inputs}

    with np.errstate(all="ignore"):
        values = interpret(graph, inputs, variables)
    run = Runner(graph, {name: x.copy() for name, x in variables.items()}, 1).run(inputs)
    for i, theirs in enumerate(expected):
        plain = theirs.numpy(force=True)
        same(values[ours[i]], plain, FORWARD, f"reference, result {i}")
        same(run.outputs[f"y{i}"], plain, FORWARD, f"engine, result {i}")
    close = 1e-7 if op.name in COARSE else BACKWARD
    for name, slope in moving.items():
        same(values[graph.gradients[name]], slope, close, f"reference, gradient of {name}")
        same(run.gradients[name], slope, close, f"engine, gradient of {name}")


def check_export(op: Any, sample: Any, row: Row) -> None:
    """The same for the exported network in ONNX Runtime: results, in float32."""
    operands, phrase = said(row, sample)
    if phrase.phase == "train":
        raise Unsaid("what is exported is for inference")
    graph, fed = written(replace(phrase, phase="infer"), operands, "f32")
    for x in operands:
        values = x.tensor.detach().double()
        if not x.tensor.numel() or not (values.abs() < LARGEST).all():
            raise Unsaid("no numbers, or numbers too large for float32 to tell apart")
    expected = theirs_of(op, sample)
    fed = {name: x.astype(np.float32) if x.dtype == np.float64 else x for name, x in fed.items()}
    model = to_model(graph, {name: fed[name] for name in graph.variables})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    results = dict(zip(names, session.run(names, {name: fed[name] for name in graph.inputs})))
    for i, theirs in enumerate(expected):
        plain = theirs.numpy(force=True)
        plain = plain.astype(np.float32) if plain.dtype == np.float64 else plain
        same(np.asarray(results[f"y{i}"]), plain, SINGLE, f"ONNX Runtime, result {i}")


def theirs_of(op: Any, sample: Any) -> list[torch.Tensor]:
    """The tensors that PyTorch makes of a sample."""
    made = op(sample.input, *sample.args, **sample.kwargs)
    if made is NotImplemented:
        raise Unsaid("what PyTorch refuses itself")
    return list(tensors_in(list(made) if isinstance(made, (list, tuple)) else made))


def said(row: Row, sample: Any) -> tuple[list[Operand], Phrase]:
    """The tensors of a sample by name, and the phrase that a row makes of it."""
    operands, numbers = {}, count()

    def named(part: Any) -> Any:
        if isinstance(part, torch.Tensor):
            if id(part) not in operands:
                operands[id(part)] = Operand(f"x{next(numbers)}", part)
            return operands[id(part)]
        if isinstance(part, torch.Size):
            return tuple(part)
        if isinstance(part, (list, tuple)):
            return type(part)(map(named, part))
        return part

    arguments = named([sample.input, *sample.args])
    phrase = row(*arguments, **{name: named(part) for name, part in sample.kwargs.items()})
    if not isinstance(phrase, Phrase):
        phrase = Phrase((phrase,) if isinstance(phrase, str) else tuple(phrase))
    return list(operands.values()), phrase


def written(
    phrase: Phrase, operands: list[Operand], float_dtype: str
) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of a phrase, and what its inputs and variables are."""
    words = set(re.findall(r"\bx\d+\b", " ".join(phrase.results)))
    lines = [f"input {x}: {x.type}" for x in operands if x.name in words]
    lines += [f"output y{i} = {result}" for i, result in enumerate(phrase.results)]
    report = Report()
    module = load_module(Source("sample.net", "model M {\n" + "\n".join(lines) + "\n}\n"), report)
    graph = build(module, choose(module, None), report).graph
    graph = specialize(graph, None, {"f32": float_dtype})
    graph = infer(graph) if phrase.phase == "infer" else prune(replace(graph, updates={}))
    tensors = {x.name: x for x in operands if x.name in words} | dict(phrase.owned)
    fed = {name: np.array(x.tensor.numpy(force=True)) for name, x in tensors.items()}
    for name, variable in graph.variables.items():
        assert name in fed, f"the row gives no tensor for {name}"
        fits = variable.type.shape == fed[name].shape
        assert fits, f"{name}: {variable.type}, the sample's tensor {fed[name].shape}"
    return graph, fed


Arrays = dict[int, np.ndarray]


def autograd(
    results: list[torch.Tensor], operands: list[Operand]
) -> tuple[Arrays, dict[Operand, np.ndarray]]:
    """Seeds by number of the result, and PyTorch's gradients of the sum of seed · result; neither
    where PyTorch has none, and where an operand holds NaN, whose slope is nobody's concern."""
    rng = np.random.default_rng(0)
    seeds = {i: rng.standard_normal(tuple(y.shape)) for i, y in enumerate(results)
             if y.requires_grad and y.is_floating_point()}
    leaves = [x for x in operands if x.tensor.requires_grad]
    if not seeds or any(x.tensor.isnan().any() for x in leaves):
        return {}, {}
    try:
        found = torch.autograd.grad(
            [results[i] for i in seeds], [x.tensor for x in leaves],
            [torch.from_numpy(np.array(seed)) for seed in seeds.values()], allow_unused=True,
        )
    except RuntimeError as missing:
        lacks = ("is not implemented", "doesn't match the broadcast shape")  # clamp's backward
        if not any(words in str(missing) for words in lacks):
            raise
        return {}, {}
    return seeds, {x: np.zeros(x.shape) if g is None else g.numpy(force=True)
                   for x, g in zip(leaves, found)}


def with_gradients(graph: Graph, moving: dict[str, np.ndarray], seeds: Arrays) -> Graph:
    """The graph with the gradients of the sum of seed · result, for the operands `moving`."""
    if not moving or not seeds:
        return graph
    emit = Emitter()
    emit.nodes.extend(graph.nodes)
    fed = {f"seed {i}": Value(TensorType("f64", seed.shape)) for i, seed in seeds.items()}
    total = None
    for i in seeds:
        part = emit(multiply, graph.outputs[f"y{i}"], fed[f"seed {i}"])
        part = emit(sum_, part, axes=tuple(range(part.type.rank)))
        total = part if total is None else emit(add, total, part)
    inputs = {name: x for name, x in graph.inputs.items() if name not in moving} | fed
    trained = {
        name: Variable(name, "parameter", x, Initializer("zeros"))
        for name, x in graph.inputs.items() if name in moving
    }
    graph = replace(
        graph, nodes=tuple(emit.nodes), inputs=inputs, variables=graph.variables | trained,
        losses={"total": total},
    )
    return differentiate(graph, ["total"], moving)


def same(got: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    """Equal within `tolerance`, of each element or of a hundredth of the largest."""
    assert got.shape == expected.shape, f"{what}: {got.shape}, PyTorch {expected.shape}"
    assert got.dtype == expected.dtype, f"{what}: {got.dtype}, PyTorch {expected.dtype}"
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, expected, what)
        return
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    np.testing.assert_allclose(got, expected, tolerance, tolerance / 100 * scale, err_msg=what)
