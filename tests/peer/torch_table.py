"""What each operation is in PyTorch: one row an op, from its attributes and operands to tensors.

With these rows any forward graph of ours runs in PyTorch, so that no model needs a twin there.
Dropout takes its mask from our kernel, everything else is PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from netdsl.ir.graph import Graph, Value
from netdsl.ops.pool import pool_geometry
from netdsl.ops.random import OPS as RANDOM
from netdsl.ops.random import dropout as dropout_op

DTYPES = {
    "f16": torch.float16, "f32": torch.float32, "f64": torch.float64, "i32": torch.int32,
    "i64": torch.int64, "bool": torch.bool,
}

DRAWS = tuple(op for op in RANDOM if op is not dropout_op)


def full(a) -> Tensor:
    value = float(a.value) if isinstance(a.value, Fraction) else a.value
    return torch.full(a.shape, value, dtype=DTYPES[a.dtype])


def expand(a, x: Tensor) -> Tensor:
    for axis in a.axes:
        x = x.unsqueeze(axis)
    return x.expand(a.shape)


def sliced(a, x: Tensor) -> Tensor:
    return x.narrow(a.axis, a.start, a.stop - a.start)


def pad(a, x: Tensor) -> Tensor:
    behind = [0, 0] * (x.ndim - a.axis - 1)
    return F.pad(x, [*behind, a.before, a.after])


def conv(a, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    function = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
    return function(padded(x, a.pads), weight, bias, a.stride, 0, a.dilation, a.groups)


def conv_input_gradient(a, g: Tensor, weight: Tensor) -> Tensor:
    """A transposed convolution, of which the padding is cut away and the asked size is left."""
    function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[g.ndim - 3]
    whole = function(g, weight, None, a.stride, 0, 0, a.groups, a.dilation)
    for axis, (size, (before, _)) in enumerate(zip(a.shape[2:], a.pads), 2):
        missing = max(before + size - whole.shape[axis], 0)
        behind = [0, 0] * (whole.ndim - axis - 1)
        whole = F.pad(whole, [*behind, 0, missing]).narrow(axis, before, size)
    return whole


def padded(x: Tensor, pads: tuple, value: float = 0.0) -> Tensor:
    """PyTorch pads the last axis first."""
    return F.pad(x, [n for pair in reversed(pads) for n in pair], value=value)


def local_conv(a, x: Tensor, weight: Tensor) -> Tensor:
    """Windows laid open axis by axis, each times the kernels of its place."""
    windows = padded(x, a.pads)
    for axis, (k, stride, gap) in enumerate(zip(weight.shape[2:], a.stride, a.dilation), 2):
        windows = windows.unfold(axis, gap * (k - 1) + 1, stride)[..., ::gap]
    places = windows.shape[2 : weight.ndim]
    windows = windows.reshape(*windows.shape[:2], places.numel(), -1)  # [N, C, places, taps]
    kernels = weight.reshape(a.filters, places.numel(), weight.shape[1], -1)
    return torch.einsum("ncpt,fpct->nfp", windows, kernels).reshape(len(x), a.filters, *places)


def lp_pool(a, x: Tensor) -> Tensor:
    """PyTorch's own pads nothing and scales partial windows up: sums of |x|ᵖ in its place."""
    _, extra = pool_geometry(a, tuple(x.shape[2:]))
    pads = tuple((before, after + more) for (before, after), more in zip(a.pads, extra))
    return window_sums(a, padded(x.abs() ** a.p, pads)) ** (1 / a.p)


def max_pool(a, x: Tensor) -> Tensor:
    function = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.ndim - 3]
    if is_even(a.pads):
        before = tuple(pair[0] for pair in a.pads)
        return function(x, a.kernel, a.stride, before, a.dilation, ceil_mode=a.ceil)
    assert not a.ceil, "PyTorch pads both sides alike where windows may overhang"
    return function(padded(x, a.pads, -torch.inf), a.kernel, a.stride, 0, a.dilation)


def average_pool(a, x: Tensor) -> Tensor:
    if all(step == 1 for step in a.dilation) and is_even(a.pads):
        function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.ndim - 3]
        before = tuple(pair[0] for pair in a.pads)
        return function(x, a.kernel, a.stride, before, a.ceil, a.count_pad)
    assert not a.ceil, "PyTorch pads both sides alike where windows may overhang"
    inside = padded(torch.ones_like(x[:1, :1]), a.pads, float(a.count_pad))
    return window_sums(a, padded(x, a.pads)) / window_sums(a, inside)


def window_sums(a, x: Tensor) -> Tensor:
    """PyTorch's pools know no dilation; its convolutions do."""
    ones = torch.ones((x.shape[1], 1, *a.kernel), dtype=x.dtype)
    function = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
    return function(x, ones, None, a.stride, 0, a.dilation, x.shape[1])


def is_even(pads: tuple) -> bool:
    return all(before == after for before, after in pads)


def batch_norm(a, x, weight, bias, mean, variance) -> tuple[Tensor, ...]:
    """PyTorch moves the running statistics in place: it gets copies."""
    next_mean, next_variance = mean.detach().clone(), variance.detach().clone()
    y = F.batch_norm(x, next_mean, next_variance, weight, bias, True, a.momentum, a.eps)
    axes = (0, *range(2, x.ndim))
    scale = torch.rsqrt(x.var(axes, correction=0) + a.eps)
    return y, next_mean, next_variance, x.mean(axes), scale


def normalize(a, x, weight, bias, mean, variance) -> Tensor:
    """PyTorch's own where it can: it has no gradients for the statistics."""
    if not mean.requires_grad and not variance.requires_grad:
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, a.eps)
    mean, variance, weight, bias = (
        vector.reshape(1, -1, *(1,) * (x.ndim - 2)) for vector in (mean, variance, weight, bias)
    )
    return (x - mean) / torch.sqrt(variance + a.eps) * weight + bias


def dropout(a, x: Tensor, key: np.ndarray) -> tuple[Tensor, Tensor]:
    ones = np.ones(x.shape, np.float64)
    mask = torch.from_numpy(dropout_op.kernel(a, ones, key)[1]).to(x.dtype)
    return x * mask, mask


def cross_entropy(a, logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    rows = F.cross_entropy(logits.movedim(a.axis, 1) if logits.ndim > 1 else logits, label.long(),
                           reduction="none", label_smoothing=a.smooth,
                           ignore_index=-100 if a.ignore is None else a.ignore)
    return rows, torch.logsumexp(logits, a.axis)


def layer_norm(a, x, weight, bias) -> tuple[Tensor, ...]:
    y = F.layer_norm(x, x.shape[-1:], weight, bias, a.eps)
    return y, x.mean(-1, keepdim=True), torch.rsqrt(x.var(-1, correction=0, keepdim=True) + a.eps)


def rms_norm(a, x, weight) -> tuple[Tensor, Tensor]:
    scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + a.eps)
    return F.rms_norm(x, x.shape[-1:], weight, a.eps), scale


def group_norm(a, x, weight, bias) -> tuple[Tensor, ...]:
    rows = x.reshape(len(x), a.groups, -1)
    scale = torch.rsqrt(rows.var(-1, correction=0, keepdim=True) + a.eps)
    return F.group_norm(x, a.groups, weight, bias, a.eps), rows.mean(-1, keepdim=True), scale


def lstm(a, x, h0, c0, weight_ih, weight_hh, bias) -> tuple[Tensor, ...]:
    weights = [weight_ih, weight_hh, bias, torch.zeros_like(bias)]
    states = (h0[None], c0[None])
    y, h, c = torch._VF.lstm(x, states, weights, True, 1, 0.0, False, False, True)
    return y, h[0], c[0]


def gather(a, x: Tensor, index: Tensor) -> Tensor:
    """Row by row of the batch, which PyTorch's indexing has no word for."""
    if a.axis == 0:
        return x[index.long()]
    rows = [gather(replace(a, axis=a.axis - 1), row, part) for row, part in zip(x, index)]
    return torch.stack(rows)


def scatter_add(a, g: Tensor, index: Tensor) -> Tensor:
    if a.axis == 0:
        flat = g.reshape(index.numel(), *a.shape[1:])
        return g.new_zeros(a.shape).index_add(0, index.reshape(-1).long(), flat)
    row = replace(a, axis=a.axis - 1, shape=a.shape[1:])
    return torch.stack([scatter_add(row, part, places) for part, places in zip(g, index)])


def running(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(a, x: Tensor) -> Tensor:
        return function(x.flip(a.axis), a.axis).flip(a.axis) if a.reverse else function(x, a.axis)

    return run


def write(a, x: Tensor, value: Tensor, at: Tensor) -> Tensor:
    stop = int(at) + value.shape[a.axis]
    return torch.slice_scatter(x, value, a.axis, int(at), stop)


def arange(a) -> Tensor:
    wide = torch.int64 if a.dtype in ("i32", "i64") else torch.float64
    numbers = torch.arange(a.count, dtype=wide) * a.step + a.start
    return numbers.to(DTYPES[a.dtype])


def drawn(op) -> Callable[..., Tensor]:
    """The numbers of our streams, which PyTorch does not draw."""
    return lambda a, *operands: torch.as_tensor(op.kernel(a, *map(np.asarray, operands)))


def vector(a) -> Tensor:
    return torch.tensor(a.values, dtype=DTYPES[a.dtype])


def prod(a, x: Tensor) -> Tensor:
    """PyTorch takes one axis at a time."""
    for axis in sorted((axis % x.ndim for axis in a.axes), reverse=True):
        x = x.prod(axis, keepdim=a.keep)
    return x


def bce(a, p: Tensor, target: Tensor) -> Tensor:
    """PyTorch wants targets of the same shape."""
    return F.binary_cross_entropy(*torch.broadcast_tensors(p, target), reduction="none")


def over_axes(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """PyTorch reads "no axes" as all of them."""
    return lambda a, x: function(x, dim=a.axes, keepdim=a.keep) if a.axes else x


def plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function without attributes."""
    return lambda a, *operands: function(*operands)


TABLE: dict[str, Callable[..., Any]] = {
    "full": full,
    **{name: plain(getattr(torch, name)) for name in (
        "relu", "sigmoid", "tanh", "exp", "log", "expm1", "log1p", "sqrt", "rsqrt", "reciprocal",
        "square", "abs", "sign", "floor", "ceil", "round", "negative", "add", "logical_and",
        "logical_or", "logical_xor",
        "subtract", "multiply", "divide", "maximum", "minimum", "less", "less_equal", "greater",
        "greater_equal", "logical_not", "where", "matmul", "sin", "cos", "erf", "floor_divide",
        "remainder",
    )},
    "gelu": plain(F.gelu), "silu": plain(F.silu), "log_sigmoid": plain(F.logsigmoid),
    "gelu_tanh": plain(lambda x: F.gelu(x, approximate="tanh")), "mish": plain(F.mish),
    "softplus": lambda a, x: F.softplus(x, a.beta, threshold=100.0),
    "leaky_relu": lambda a, x: F.leaky_relu(x, a.slope),
    "elu": lambda a, x: F.elu(x, a.alpha), "celu": lambda a, x: F.celu(x, a.alpha),
    "selu": plain(F.selu), "relu6": plain(F.relu6), "hard_swish": plain(F.hardswish),
    # F.hardsigmoid holds its slope, 1 / 6, in float32
    "hard_sigmoid": plain(lambda x: torch.clamp(x / 6 + 0.5, 0, 1)),
    "hardtanh": lambda a, x: F.hardtanh(x, a.low, a.high),
    "clip": lambda a, x: torch.clamp(x, a.low, a.high), "vector": vector,
    "arange": arange,
    "power": plain(torch.pow), "equal": plain(torch.eq), "linear": plain(F.linear),
    "stop_grad": plain(Tensor.detach), "finite": lambda attrs, x: x,
    "cast": lambda a, x: x.to(DTYPES[a.dtype]),
    "sum": over_axes(torch.sum), "mean": over_axes(torch.mean), "expand": expand,
    "prod": prod, "max": over_axes(torch.amax), "min": over_axes(torch.amin),
    "logsumexp": over_axes(torch.logsumexp),
    "cumsum": running(torch.cumsum), "cumprod": running(torch.cumprod),
    "softmax": lambda a, x: torch.softmax(x, a.axis),
    "log_softmax": lambda a, x: torch.log_softmax(x, a.axis),
    "argmax": lambda a, x: torch.argmax(x, a.axis),
    "argmin": lambda a, x: torch.argmin(x, a.axis),
    "reshape": lambda a, x: x.reshape(a.shape),
    "transpose": lambda a, x: x.permute(a.axes),
    "concat": lambda a, *xs: torch.cat(xs, a.axis), "slice": sliced, "pad": pad,
    "gather": gather, "scatter_add": scatter_add,
    "argsort": lambda a, x: torch.sort(
        x, stable=True, dim=a.axis, descending=a.descending).indices,
    "read": lambda a, x, at: x.narrow(a.axis, int(at), a.count), "write": write,
    "conv": conv, "conv_input_gradient": conv_input_gradient,
    "local_conv": local_conv, "max_pool": max_pool, "average_pool": average_pool,
    "lp_pool": lp_pool, "flip": lambda a, x: x.flip(a.axes),
    "local_response_norm": lambda a, x: F.local_response_norm(x, a.size, a.alpha, a.beta, a.k),
    "batch_norm": batch_norm, "normalize": normalize, "dropout": dropout,
    "cross_entropy": cross_entropy, "bce": bce,
    "layer_norm": layer_norm, "rms_norm": rms_norm, "group_norm": group_norm, "lstm": lstm,
    **{op.name: drawn(op) for op in DRAWS},
}


def rebuilt(
    graph: Graph, inputs: Mapping[str, np.ndarray], variables: Mapping[str, Tensor],
    key: tuple[int, int] = (0, 0),
) -> dict[Value, Any]:
    """Every value of a graph without free dimensions, as PyTorch computes it. `variables` may
    require gradients; floats are fed in the dtype that the graph declares."""
    values: dict[Value, Any] = {
        value: torch.as_tensor(np.asarray(inputs[name]), dtype=DTYPES[value.dtype])
        for name, value in graph.inputs.items()
    }
    values |= {variable.value: variables[name] for name, variable in graph.variables.items()}
    if graph.key is not None:
        values[graph.key] = np.array(key, np.uint64)
    for node in graph.nodes:
        operands = (None if value is None else values[value] for value in node.inputs)
        made = TABLE[node.op.name](node.attrs, *operands)
        values.update(zip(node.outputs, made if isinstance(made, tuple) else (made,)))
    return values
