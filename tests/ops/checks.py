"""The universal checks: what must hold of every op, as functions of an op and an example, so that
they can be run against ops that are wrong on purpose."""

from __future__ import annotations

from itertools import product

import numpy as np

from netdsl.autodiff import differentiate
from netdsl.backends.numpy import Runner
from netdsl.ir.dim import substitute
from netdsl.ir.graph import Emitter, Graph, Initializer, Value, Variable
from netdsl.ir.op import Absent, Op
from netdsl.ir.tensor import NUMPY_DTYPES, TensorType
from netdsl.ops.elementwise import add, multiply
from netdsl.ops.layout import transpose
from netdsl.ops.reduction import sum_
from netdsl.rewrite.specialize import specialize
from operands import Example

TOLERANCE = {"f16": 1e-2, "f32": 2e-5, "f64": 1e-12}
STEP = 1e-5  # of central differences: error about STEP² and 1e-16 / STEP


def as_tuple(made) -> tuple:
    return made if isinstance(made, tuple) else (made,)


def reference(op: Op, attrs, arrays) -> tuple[np.ndarray, ...]:
    with np.errstate(all="ignore"):
        return tuple(map(np.asarray, as_tuple(op.kernel(attrs, *arrays))))


def assert_close(got: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    """Equal up to `tolerance` of the largest element; exactly equal where not floats."""
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    assert got.dtype == expected.dtype, f"{what}: {got.dtype}, expected {expected.dtype}"
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, expected, what)
        return
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-3)
    np.testing.assert_allclose(got, expected, tolerance, tolerance * scale, err_msg=what)


# ------------------------------------------------------------------ shape = kernel


def check_shape(op: Op, example: Example, float_dtype: str = "f32", batch: int = 2) -> None:
    """The shape rule, on sizes and on free dimensions, tells what the kernel gives."""
    arrays = example.arrays(float_dtype, batch)
    made = reference(op, example.attributes(float_dtype, batch), arrays)
    for free in (False, True):
        attrs = example.attributes(float_dtype, None if free else batch)
        types = [None if a is None else a.type(float_dtype, None if free else batch)
                 for a in example.inputs]
        told = as_tuple(op.shape(attrs, *types))
        assert len(told) == len(made)
        for type, array in zip(told, made):
            shape = tuple(substitute(dim, {"B": batch}) for dim in type.shape)
            assert shape == array.shape, f"{op}: rule {shape}, kernel {array.shape}"
            assert type.numpy_dtype == array.dtype, f"{op}: rule {type}, kernel {array.dtype}"


# ------------------------------------------------------------------ gradient = differences


def check_gradient(op: Op, example: Example, batch: int = 2) -> None:
    """The gradient facet, through the engine in float64, equals central differences of the
    kernel. Every operand is used a second time, beside the op."""
    if isinstance(op.gradient, Absent):
        return
    arrays, attrs = example.arrays("f64", batch), example.attributes("f64", batch)
    rng = np.random.default_rng(1)
    made = reference(op, attrs, arrays)
    seeds = {i: rng.normal(size=made[i].shape) for i in example.through
             if made[i].dtype == np.float64}
    moving = {i: x for i, x in enumerate(arrays) if x is not None and x.dtype == np.float64}
    beside = {i: rng.normal(size=x.shape) for i, x in moving.items()}
    if not seeds or not moving:
        return

    def loss(changed: list[np.ndarray | None]) -> float:
        outs = reference(op, attrs, changed)
        total = sum(np.vdot(seed, outs[i]) for i, seed in seeds.items())
        return total + sum(np.vdot(other, changed[i]) for i, other in beside.items())

    found = gradients_by_graph(op, attrs, arrays, seeds, beside)
    for i, x in moving.items():
        expected = np.zeros(x.shape)
        for at in product(*map(range, x.shape)):
            ends = []
            for step in (STEP, -STEP):
                moved = list(arrays)
                moved[i] = x.copy()
                moved[i][at] += step
                ends.append(loss(moved))
            expected[at] = (ends[0] - ends[1]) / (2 * STEP)
        if op.stops:
            expected = beside[i]
        assert_close(found[f"operand {i}"], expected, 1e-6, f"{op}: gradient of operand {i}")


def gradients_by_graph(op: Op, attrs, arrays, seeds, beside) -> dict[str, np.ndarray]:
    values = [None if x is None else leaf(x) for x in arrays]
    weights = {f"seed {i}": seed for i, seed in seeds.items()}
    weights |= {f"beside {i}": other for i, other in beside.items()}
    leaves = {name: leaf(x) for name, x in weights.items()}
    emit = Emitter()
    outs = as_tuple(emit.with_attrs(op, values, attrs))
    parts = [emit(multiply, outs[i], leaves[f"seed {i}"]) for i in seeds]
    parts += [emit(multiply, values[i], leaves[f"beside {i}"]) for i in beside]
    sums = [emit(sum_, part, axes=tuple(range(part.type.rank))) for part in parts]
    total = sums[0]
    for part in sums[1:]:
        total = emit(add, total, part)
    operands = {f"operand {i}": (v, arrays[i]) for i, v in enumerate(values) if v is not None}
    trained = {name: (v, x) for name, (v, x) in operands.items() if x.dtype == np.float64}
    fed = {name: (v, x) for name, (v, x) in operands.items() if x.dtype != np.float64}
    fed |= {name: (leaves[name], x) for name, x in weights.items()}
    graph = Graph(
        "gradient", tuple(emit.nodes), {name: v for name, (v, _) in fed.items()},
        {name: variable(name, v) for name, (v, _) in trained.items()}, {}, {"loss": total},
    )
    graph = differentiate(graph, ["loss"], trained)
    used = {name: x for name, (_, x) in fed.items() if name in graph.inputs}
    return Runner(graph, {name: x for name, (_, x) in trained.items()}).run(used).gradients


# ------------------------------------------------------------------ engine = kernel


def plainly(emit: Emitter, x: Value) -> Value:
    return x


def transposed(emit: Emitter, x: Value) -> Value:
    """The operand as a view whose axes lie in reverse order."""
    axes = tuple(reversed(range(x.type.rank)))
    return emit(transpose, emit(copied, emit(transpose, x, axes=axes)), axes=axes)


def as_temporary(emit: Emitter, x: Value) -> Value:
    """The operand in a buffer that may be overwritten."""
    return emit(copied, x)


copied = Op(
    name="copy", inputs=("x",), shape=lambda a, x: x, kernel=lambda a, x: x.copy(),
    gradient=Absent("a test"), onnx=Absent("a test"),
)
WIRINGS = (plainly, transposed, as_temporary)


def check_engine(
    op: Op, example: Example, float_dtype: str = "f32", wirings=WIRINGS, lanes: int = 1
) -> None:
    """The lowered op gives what the kernel gives, over changing batches, however its operands
    lie, and leaves operands alone that are needed later."""
    for wiring, keep in product(wirings, (False, True)):
        graph = op_graph(op, example, float_dtype, wiring, keep)
        run = runs(graph, lanes)
        for seed, batch in enumerate((2, 3, 2)):
            arrays = example.arrays(float_dtype, batch, seed)
            fed = {f"x{i}": x for i, x in enumerate(arrays) if x is not None}
            expected = reference(op, example.attributes(float_dtype, batch), arrays)
            wanted = {f"y{i}": y for i, y in enumerate(expected)} | (fed if keep else {})
            got = run(fed, batch)
            for name, y in wanted.items():
                what = f"{op}: {name}, {wiring.__name__}, batch {batch}"
                assert_close(got[name], y, TOLERANCE[float_dtype], what)


def op_graph(op: Op, example: Example, float_dtype: str, wiring=plainly, keep=False) -> Graph:
    """The op alone; with `keep` what it reads is given out too, from where the op read it."""
    emit = Emitter()
    inputs = {f"x{i}": Value(a.type(float_dtype)) for i, a in enumerate(example.inputs) if a}
    wired = {name: wiring(emit, x) for name, x in inputs.items()}
    operands = [wired.get(f"x{i}") for i in range(len(example.inputs))]
    made = as_tuple(emit.with_attrs(op, operands, example.attributes(float_dtype)))
    outputs = {f"y{i}": y for i, y in enumerate(made)} | (wired if keep else {})
    return Graph(example.op, tuple(emit.nodes), inputs, {}, outputs)


def runs(graph: Graph, lanes: int):
    """run(fed, batch) -> outputs; sizes come from what is fed, where anything is."""
    runner = Runner(graph, {}, lanes)

    def run(fed: dict[str, np.ndarray], batch: int) -> dict[str, np.ndarray]:
        if graph.symbols:
            return runner.run(fed).outputs
        return Runner(specialize(graph, {"B": batch}), {}, lanes).run(fed).outputs

    return run


# ------------------------------------------------------------------ ONNX = kernel


def check_onnx(op: Op, example: Example, batch: int = 2) -> None:
    """The op through its onnx facet and ONNX Runtime gives what the kernel gives."""
    from netdsl.backends.onnx import to_model
    import onnxruntime

    graph = specialize(op_graph(op, example, "f32"), {"B": batch})
    arrays = example.arrays("f32", batch)
    expected = reference(op, example.attributes("f32", batch), arrays)
    model = to_model(graph, {})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = {f"x{i}": x for i, x in enumerate(arrays) if x is not None}
    names = [output.name for output in session.get_outputs()]
    for name, got in zip(names, session.run(names, fed)):
        assert_close(np.asarray(got), expected[int(name[1:])], 1e-4, f"{op}: {name}")


# ------------------------------------------------------------------ cost = counted


def counted_macs(op: Op, example: Example, batch: int = 2) -> int:
    """Multiply-accumulates of a product or convolution, counted one by one in nested loops."""
    arrays = example.arrays("f32", batch)
    attrs = example.attributes("f32", batch)
    y = reference(op, attrs, arrays)[0]
    if op.name == "lstm":  # each gate of each step reads a row of both weights
        return sum(1 for _ in product(*map(range, y.shape[:2]), *map(range, arrays[3].shape))) + \
            sum(1 for _ in product(*map(range, y.shape[:2]), *map(range, arrays[4].shape)))
    if op.name in ("matmul", "linear"):
        return sum(1 for _ in product(*map(range, y.shape), range(arrays[0].shape[-1])))
    x_shape, weight_shape, y_shape = {
        "conv": lambda: (arrays[0].shape, arrays[1].shape, y.shape),
        "conv_input_gradient": lambda: (y.shape, arrays[1].shape, arrays[0].shape),
        "conv_weight_gradient": lambda: (arrays[1].shape, y.shape, arrays[0].shape),
    }[op.name.removeprefix("local_")]()
    assert x_shape[0] == y_shape[0]
    count = 0
    for _ in product(*map(range, y_shape)):  # each element of y ...
        for _ in product(*map(range, weight_shape[1:])):  # ... reads its filter once
            count += 1
    return count


def check_cost(op: Op, example: Example, batch: int = 2) -> None:
    """The cost rule, on free dimensions, gives the number that loops count."""
    types = [None if a is None else a.type("f32") for a in example.inputs]
    outputs = as_tuple(op.shape(example.attributes(), *types))
    cost = op.cost(example.attributes(), types, outputs)
    told, counted = substitute(cost.macs, {"B": batch}), counted_macs(op, example, batch)
    assert told == counted, f"{op}: rule {told} ({cost.derivation}), counted {counted}"


def leaf(x: np.ndarray) -> Value:
    names = {str(dtype): name for name, dtype in NUMPY_DTYPES.items()}
    return Value(TensorType(names[str(x.dtype)], x.shape))


def variable(name: str, value: Value) -> Variable:
    return Variable(name, "parameter", value, Initializer("zeros"))
