"""PyTorch's convolutions, pools, norms and resizing in our language: name -> what a sample's
arguments become."""

from __future__ import annotations

from opinfo_phrases import (
    Operand,
    Phrase,
    flag,
    layer,
    listed,
    number,
    reshaped,
    shape,
    unsaid,
)


def settings(**named) -> str:
    """`stride = 2, pad = [1, 2]`: a list of one stands for every axis, as PyTorch reads it."""
    written = []
    for name, value in named.items():
        if isinstance(value, (tuple, list)) and len(value) == 1:
            value = value[0]
        written.append(f"{name} = {flag(value) if isinstance(value, bool) else listed(value)}")
    return ", ".join(written)


def batched(function, axes: int):
    """PyTorch takes [C, …] for a batch of one; here the batch is written, and taken away."""

    def row(x, *args, **kwargs):
        if x.rank != axes + 1:
            return function(x, *args, **kwargs)
        made = function(reshaped(x, (1, *x.shape)), *args, **kwargs)
        whole = made if isinstance(made, Phrase) else Phrase((made,))
        return Phrase(tuple(f"({text})[0]" for text in whole.results), whole.owned)

    return row


# ------------------------------------------------------------------ convolution


def conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """`same` leaves the larger half of an odd padding behind, as PyTorch does."""
    padding = {"valid": 0}.get(padding, padding) if isinstance(padding, str) else padding
    pad = "pad = same" if padding == "same" else settings(pad=padding)
    window = settings(stride=stride, dilation=dilation, groups=groups, bias=bias is not None)
    construction = f"conv{{{weight.shape[0]}, {shape(weight.shape[2:])}, {pad}, {window}}}"
    return layer(construction, x, weight=weight, bias=bias)


def deconv(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    channels = weight.shape[1] * groups
    window = settings(stride=stride, pad=padding, out_pad=output_padding, dilation=dilation,
                      groups=groups, bias=bias is not None)
    construction = f"deconv{{{channels}, {shape(weight.shape[2:])}, {window}}}"
    return layer(construction, x, weight=weight, bias=bias)


# ------------------------------------------------------------------ pools


def max_pool(
    x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    unsaid(return_indices, "the places of the largest elements")
    stride = kernel_size if stride in (None, ()) else stride
    window = settings(k=kernel_size, stride=stride, pad=padding, dilation=dilation, ceil=ceil_mode)
    return f"maxpool({x}, {window})"


def avg_pool(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):
    unsaid(divisor_override is not None, "a divisor that is not the number of elements")
    stride = kernel_size if stride in (None, ()) else stride
    window = settings(k=kernel_size, stride=stride, pad=padding, ceil=ceil_mode,
                      count_pad=count_include_pad)
    return f"avgpool({x}, {window})"


def adaptive(word: str, axes: int):
    def row(x, size, return_indices=False):
        unsaid(return_indices, "the places of the largest elements")
        have = x.shape[x.rank - axes :]
        size = (size,) * axes if isinstance(size, int) else size
        size = [n if wanted is None else wanted for n, wanted in zip(have, size)]
        return batched(lambda x: f"{word}({x}, {settings(size=size)})", axes)(x)

    return row


def nearest(shift: float):
    """Each place of the result takes the element whose place, scaled, is nearest; `shift` is 0.5
    where middles are compared, as in `nearest-exact`."""

    def row(x, size=None, scale_factor=None, mode="", align_corners=None,
            recompute_scale_factor=False):
        places = x.shape[2:]
        size, factors = (each if isinstance(each, (list, tuple)) else [each] * len(places)
                         for each in (size, scale_factor))
        text, rank = str(x), x.rank
        for axis, (n, wanted, factor) in enumerate(zip(places, size, factors), 2):
            count = int(n * factor) if wanted is None else wanted
            step = n / count if wanted is not None or recompute_scale_factor else 1 / factor
            place = f"floor((arange({count}) + {shift}) * {number(step)})"
            order = (axis, *(i for i in range(rank) if i != axis))
            back = sorted(range(rank), key=order.__getitem__)
            moved = f"transpose({text}, {shape(order)})"
            taken = f"gather({moved}, i64(minimum({place}, {n - 1})), axis = 0)"
            text = f"transpose({taken}, {shape(back)})"
        return text

    return row


# ------------------------------------------------------------------ norms


def affine(weight: Operand | None, bias: Operand | None) -> str:
    unsaid((weight is None) != (bias is None), "a scale without a shift, or a shift without one")
    return f"affine = {flag(weight is not None)}"


def small(eps: float) -> str:
    return f"eps = {number(eps)}"


def batch_norm(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    unsaid(running_mean is None, "batch norm without running statistics")
    construction = f"batchnorm{{{small(eps)}, {affine(weight, bias)}}}"
    phase = "train" if training else "infer"
    return layer(construction, x, phase, weight=weight, bias=bias,
                 running_mean=running_mean, running_var=running_var)


def layer_norm(x, sizes, weight=None, bias=None, eps=1e-5):
    unsaid(weight is None and bias is not None, "a shift without a scale")
    construction = (f"layernorm{{axes = {len(sizes)}, {small(eps)}, "
                    f"affine = {flag(weight is not None)}, bias = {flag(bias is not None)}}}")
    return layer(construction, x, weight=weight, bias=bias)


def rms_norm(x, sizes, weight=None, eps=None):
    unsaid(weight is None, "rms norm without a scale")
    unsaid(len(sizes) != 1, "rms norm over several axes")
    return layer(f"rmsnorm{{{small(2.0**-52 if eps is None else eps)}}}", x, weight=weight)


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    construction = f"groupnorm{{{num_groups}, {small(eps)}, {affine(weight, bias)}}}"
    return layer(construction, x, weight=weight, bias=bias)


def instance_norm(
    x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-5,
):
    unsaid(not use_input_stats, "instance norm with running statistics")
    construction = f"instancenorm{{{small(eps)}, {affine(weight, bias)}}}"
    return layer(construction, x, weight=weight, bias=bias)


def response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    numbers = f"alpha = {number(alpha)}, beta = {number(beta)}, k = {number(k)}"
    return f"lrn({x}, size = {size}, {numbers})"


def dropout(x, p=0.5, training=True, inplace=False):
    """Where nothing is drawn: in inference, and with p = 0."""
    unsaid(training and 0 < p, "elements dropped at random, by another stream than PyTorch's")
    return Phrase((f"dropout({x}, {number(p)})",), phase="" if training else "infer")


F = "nn.functional."
ROWS = {
    **{f"{F}conv{n}d": batched(conv, n) for n in (1, 2, 3)},
    **{f"{F}conv_transpose{n}d": batched(deconv, n) for n in (1, 2, 3)},
    **{f"{F}max_pool{n}d": batched(max_pool, n) for n in (1, 2, 3)},
    **{f"{F}avg_pool{n}d": batched(avg_pool, n) for n in (1, 2, 3)},
    **{f"{F}adaptive_avg_pool{n}d": adaptive("adaptive_avgpool", n) for n in (1, 2, 3)},
    **{f"{F}adaptive_max_pool{n}d": adaptive("adaptive_maxpool", n) for n in (1, 2, 3)},
    f"{F}interpolate:nearest": nearest(0), f"{F}upsample_nearest": nearest(0),
    f"{F}interpolate:nearest-exact": nearest(0.5),
    f"{F}local_response_norm": response_norm,
    f"{F}batch_norm": batch_norm, f"{F}layer_norm": layer_norm, f"{F}rms_norm": rms_norm,
    f"{F}group_norm": group_norm, f"{F}instance_norm": instance_norm,
    f"{F}dropout": dropout,
}
