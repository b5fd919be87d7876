"""Words that work over windows, and norms, against PyTorch in float64 over odd shapes: what comes
out, and the gradients of the input and of every parameter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import netdsl

MODEL = """
model M {{
    parameter x: f32{shape} = normal()
    y = x -> {word}
    output y
    loss half = sum(y * (0.5 * y + 1))
}}
"""
Twin = Callable[..., Tensor]


def even(x: Tensor, k, stride=1, dilation=1, upper=True) -> Tensor:
    """x padded so that windows leave ⌈n / stride⌉ places, as TensorFlow and ONNX define it."""
    pads: list[int] = []
    for n in reversed(x.shape[2:]):
        total = max(0, (-(-n // stride) - 1) * stride + dilation * (k - 1) + 1 - n)
        halves = [total // 2, total - total // 2]
        pads += halves if upper else halves[::-1]
    return F.pad(x, pads)


def local(x: Tensor, weight: Tensor, bias: Tensor, k: int, stride: int, pad: int) -> Tensor:
    """Every place by a convolution of its own."""
    x, (filters, rows, columns) = F.pad(x, [pad] * 4), bias.shape
    kernels = weight.reshape(filters, rows, columns, -1, k, k)
    places = [
        F.conv2d(x[:, :, i * stride : i * stride + k, j * stride : j * stride + k],
                 kernels[:, i, j], bias[:, i, j])
        for i in range(rows) for j in range(columns)
    ]
    return torch.cat(places, 2).reshape(len(x), filters, rows, columns)


def blurred(x: Tensor, weights: list[float], stride: int) -> Tensor:
    """The weights within the border count."""
    row = torch.tensor(weights, dtype=x.dtype)
    kernel = (row[:, None] * row / row.sum() ** 2).expand(x.shape[1], 1, -1, -1)
    k = len(weights)
    around = [(k - 1) // 2, k // 2] * 2

    def whole(image: Tensor) -> Tensor:
        return F.conv2d(F.pad(image, around), kernel, stride=stride, groups=x.shape[1])

    return whole(x) / whole(torch.ones_like(x))


CONVOLUTIONS: list[tuple[str, tuple[int, ...], Twin]] = [
    ("conv{4, 3, stride = 3}", (2, 3, 8, 7), lambda x, w, b: F.conv2d(x, w, b, 3)),
    ("conv{4, (2, 4), stride = (3, 1), pad = 1}", (1, 3, 6, 5),
     lambda x, w, b: F.conv2d(x, w, b, (3, 1), 1)),
    ("conv{6, 3, pad = 1, groups = 3, bias = false}", (2, 3, 1, 1),
     lambda x, w: F.conv2d(x, w, None, 1, 1, 1, 3)),
    ("conv{4, 2, dilation = 3, groups = 2}", (2, 2, 4, 9),
     lambda x, w, b: F.conv2d(x, w, b, 1, 0, 3, 2)),
    ("conv{2, 3, pad = [(2, 0), (0, 1)]}", (2, 3, 2, 4),
     lambda x, w, b: F.conv2d(F.pad(x, (0, 1, 2, 0)), w, b)),
    ("conv{3, 5, pad = 4}", (1, 2, 2, 1), lambda x, w, b: F.conv2d(x, w, b, 1, 4)),
    ("conv{3, 4, stride = 3, pad = 2, dilation = 2}", (2, 2, 11),
     lambda x, w, b: F.conv1d(x, w, b, 3, 2, 2)),
    ("conv{2, (2, 1, 3), stride = (1, 2, 2), pad = 1}", (1, 2, 3, 2, 5),
     lambda x, w, b: F.conv3d(x, w, b, (1, 2, 2), 1)),
    ("conv{3, 3, pad = 2, flip = true}", (2, 2, 4, 3),
     lambda x, w, b: F.conv2d(x, w.flip(2, 3), b, 1, 2)),
    *((f"conv{{3, {k}, stride = {stride}, dilation = {dilation}, pad = {name}}}", (2, 2, 7, 6),
       lambda x, w, b, k=k, s=stride, d=dilation, u=(name == "same"):
       F.conv2d(even(x, k, s, d, u), w, b, s, 0, d))
      for name in ("same", "same_lower")
      for k, stride, dilation in ((3, 1, 1), (4, 1, 1), (3, 2, 1), (2, 3, 1), (3, 4, 2))),
    ("deconv{4, 3, stride = 2, pad = 1, out_pad = 1}", (2, 3, 4, 3),
     lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1)),
    ("deconv{4, (2, 3), stride = 3, groups = 2, dilation = (1, 2)}", (1, 2, 1, 1),
     lambda x, w, b: F.conv_transpose2d(x, w, b, 3, 0, 0, 2, (1, 2))),
    ("deconv{2, 2, stride = 4, out_pad = 3, bias = false}", (2, 3, 3),
     lambda x, w: F.conv_transpose1d(x, w, None, 4, 0, 3)),
    ("deconv{2, 4, stride = 2, pad = [(1, 2), (0, 1)]}", (2, 3, 3, 2),
     lambda x, w, b: F.conv_transpose2d(x, w, b, 2)[:, :, 1:-2, 0:-1]),
    ("deconv{2, 3, stride = (1, 2, 1), pad = 1, out_pad = (0, 1, 0)}", (1, 2, 2, 1, 3),
     lambda x, w, b: F.conv_transpose3d(x, w, b, (1, 2, 1), 1, (0, 1, 0))),
    ("deconv{2, 3, stride = 2, pad = same}", (2, 3, 4, 3),
     lambda x, w, b: F.conv_transpose2d(x, w, b, 2)[:, :, :-1, :-1]),
    ("deconv{2, 1, stride = 3, pad = same}", (2, 3, 4),
     lambda x, w, b: F.conv_transpose1d(x, w, b, 3, 0, 2)),
    ("local_conv{3, 3, stride = 2, pad = 1}", (2, 2, 5, 4),
     lambda x, w, b: local(x, w, b, 3, 2, 1)),
    ("local_conv{2, 2}", (1, 3, 2, 3), lambda x, w, b: local(x, w, b, 2, 1, 0)),
]
POOLS: list[tuple[str, tuple[int, ...], Twin]] = [
    ("maxpool(3, stride = 2, pad = 1, ceil = true)", (2, 2, 6, 7),
     lambda x: F.max_pool2d(x, 3, 2, 1, 1, True)),
    ("maxpool(2, stride = 3, pad = 1, ceil = true)", (1, 2, 5, 4),
     lambda x: F.max_pool2d(x, 2, 3, 1, 1, True)),
    ("maxpool((2, 3), stride = 1, dilation = (3, 2))", (2, 1, 5, 6),
     lambda x: F.max_pool2d(x, (2, 3), 1, 0, (3, 2))),
    ("maxpool(3, stride = 2, pad = same)", (2, 2, 6, 5),
     lambda x: F.max_pool2d(even(x + 100, 3, 2), 3, 2) - 100),
    ("maxpool(2)", (1, 3, 2, 3, 5), lambda x: F.max_pool3d(x, 2)),
    ("avgpool(3, stride = 2, pad = 1, ceil = true)", (2, 2, 6, 7),
     lambda x: F.avg_pool2d(x, 3, 2, 1, True)),
    ("avgpool(3, stride = 2, pad = 1, ceil = true, count_pad = false)", (2, 2, 6, 7),
     lambda x: F.avg_pool2d(x, 3, 2, 1, True, False)),
    ("avgpool(2, stride = 3, pad = 1, ceil = true)", (2, 2, 8),
     lambda x: F.avg_pool1d(x, 2, 3, 1, True)),
    ("avgpool(3, stride = 2, pad = same, count_pad = false)", (2, 2, 4, 5),
     lambda x: F.avg_pool2d(even(x, 3, 2), 3, 2) / F.avg_pool2d(even(0 * x + 1, 3, 2), 3, 2)),
    ("avgpool(2, dilation = 2, stride = 1, pad = [(1, 0)])", (2, 1, 6),
     lambda x: (F.pad(x, (1, 0))[..., :-2] + F.pad(x, (1, 0))[..., 2:]) / 2),
    ("lppool(2)", (2, 3, 5, 4), lambda x: F.lp_pool2d(x, 2, 2)),
    ("lppool(3, p = 4, stride = 1)", (2, 2, 6), lambda x: F.lp_pool1d(x, 4, 3, 1)),
    ("lppool(2, p = 3)", (1, 2, 5), lambda x: F.lp_pool1d(x.abs(), 3, 2)),
    ("blurpool", (2, 3, 5, 4), lambda x: blurred(x, [1, 2, 1], 2)),
    ("blurpool([1, 3, 3, 1], stride = 3)", (1, 2, 7, 8), lambda x: blurred(x, [1, 3, 3, 1], 3)),
    ("global_avgpool", (2, 3, 2, 5), lambda x: x.mean((2, 3))),
    ("global_maxpool", (2, 3, 2, 5), lambda x: F.adaptive_max_pool2d(x, 1)[:, :, 0, 0]),
    ("global_lppool", (2, 3, 4), lambda x: x.norm(dim=2)),
    ("global_lppool(p = 3)", (2, 1, 2, 3), lambda x: x.norm(p=3, dim=(2, 3))),
    *((f"adaptive_{name}pool({size})", shape, lambda x, f=function, size=size: f(x, size))
      for name, functions in (
          ("avg", (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)),
          ("max", (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)))
      for size, shape in ((3, (2, 2, 7, 6)), (1, (1, 2, 5)), (4, (2, 1, 3, 2)),
                          (2, (1, 2, 3, 4, 5)), ((5, 2), (2, 1, 5, 8)))
      for function in (functions[len(shape) - 3],)),
]
NORMS: list[tuple[str, tuple[int, ...], Twin]] = [
    ("batchnorm{}", (2, 3, 1, 1), lambda x, w, b: F.batch_norm(x, None, None, w, b, True)),
    ("batchnorm{affine = false, eps = 0.01}", (4, 3),
     lambda x: F.batch_norm(x, None, None, None, None, True, eps=0.01)),
    ("batchnorm{}", (1, 2, 1, 3, 1), lambda x, w, b: F.batch_norm(x, None, None, w, b, True)),
    ("layernorm{}", (5,), lambda x, w, b: F.layer_norm(x, (5,), w, b)),
    ("layernorm{axes = 2, eps = 0.1}", (2, 3, 4, 2),
     lambda x, w, b: F.layer_norm(x, (4, 2), w, b, 0.1)),
    ("layernorm{axes = 3, bias = false}", (2, 1, 4, 2),
     lambda x, w: F.layer_norm(x, (1, 4, 2), w)),
    ("layernorm{affine = false}", (1, 3, 4), lambda x: F.layer_norm(x, (4,))),
    ("rmsnorm{}", (2, 3, 4), lambda x, w: F.rms_norm(x, (4,), w, 1e-5)),
    ("rmsnorm{axes = 2, eps = 0.1}", (2, 3, 4), lambda x, w: F.rms_norm(x, (3, 4), w, 0.1)),
    ("rmsnorm{affine = false}", (2, 5), lambda x: F.rms_norm(x, (5,), None, 1e-5)),
    ("groupnorm{2}", (2, 4, 3, 1), lambda x, w, b: F.group_norm(x, 2, w, b)),
    ("groupnorm{3, affine = false}", (1, 6, 2), lambda x: F.group_norm(x, 3)),
    ("groupnorm{1, eps = 0.1}", (3, 5), lambda x, w, b: F.group_norm(x, 1, w, b, 0.1)),
    ("instancenorm{}", (2, 3, 2, 5), lambda x: F.instance_norm(x)),
    ("instancenorm{affine = true}", (1, 2, 3),
     lambda x, w, b: F.instance_norm(x, None, None, w, b)),
    *((f"lrn({size}, alpha = 0.5, beta = 0.6, k = 2)", shape,
       lambda x, size=size: F.local_response_norm(x, size, 0.5, 0.6, 2.0))
      for size, shape in ((5, (2, 7, 2, 3)), (3, (1, 2, 4)), (4, (2, 5, 1, 2)),
                          (1, (1, 3, 2, 1, 2)))),
]
ROWS = [(f"{word} of {'x'.join(map(str, shape))}", word, shape, twin)
        for word, shape, twin in (*CONVOLUTIONS, *POOLS, *NORMS)]


@pytest.mark.parametrize(("word", "shape", "twin"), [row[1:] for row in ROWS],
                         ids=[row[0] for row in ROWS])
def test_words_are_pytorchs(word, shape, twin, tmp_path):
    path = tmp_path / "word.net"
    path.write_text(MODEL.format(shape=list(shape), word=word))
    model, rng = netdsl.load(path), np.random.default_rng(4)
    weights = {name: rng.normal(size=type.shape) for name, type in model.parameters.items()}
    weights |= {name: np.ones(type.shape) for name, type in model.buffers.items()}
    found = model.run({}, weights, phase="train", fetch="y", dtype="f64")["y"]
    _, gradients = model.gradients({}, weights, dtype="f64")

    tensors = {name: torch.tensor(weights[name], requires_grad=True) for name in model.parameters}
    y = twin(*(tensors[name] for name in sorted(tensors, key=order)))
    (y * (0.5 * y + 1)).sum().backward()
    np.testing.assert_allclose(found, y.detach().numpy(), 1e-11, 1e-11)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(gradients[name], tensor.grad.numpy(), 1e-10, 1e-10)


def order(name: str) -> int:
    """x, weight, bias."""
    return ("x", "weight", "bias").index(name.rpartition(".")[2])
