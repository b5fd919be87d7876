"""PyTorch's reductions and products in our language: name -> what a sample's arguments become."""

from __future__ import annotations

from math import isinf

import torch
from opinfo_phrases import (
    Operand,
    axis_of,
    fitted,
    flag,
    layer,
    number,
    over,
    reshaped,
    same_float,
    shape,
    stretched,
    unsaid,
    widened,
)

# ------------------------------------------------------------------ over axes


def reduction(word: str):
    """sum(x, axis = 1, keep = true)."""

    def row(x, dim=None, keepdim=False, *, dtype=None):
        same_float(dtype)
        return f"{word}({x}{over(dim, keepdim)})"

    return row


def with_places(word: str):
    """The extremes along an axis, and where they are: PyTorch gives one of the places its whole
    gradient, the language all that are equal their share; OpInfo has few equal ones."""

    def row(x, dim, keepdim=False):
        place_of = f"arg{word}"
        place = f"{place_of}({x}, axis = {dim})"
        if keepdim:
            axis = axis_of(x, dim)
            place = reshaped(place, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
        return f"{word}({x}{over(dim, keepdim)})", place

    return row


def place_of(word: str):
    def row(x, dim=None, keepdim=False):
        if dim is None:
            unsaid(keepdim, "the place among all elements, as a tensor of their rank")
            return f"{word}({reshaped(x, (x.tensor.numel(),))}, axis = 0)"
        axis = axis_of(x, dim)
        place = f"{word}({x}, axis = {axis})"
        return reshaped(place, (*x.shape[:axis], 1, *x.shape[axis + 1 :])) if keepdim else place

    return row


def aminmax(x, *, dim=None, keepdim=False):
    return f"min({x}{over(dim, keepdim)})", f"max({x}{over(dim, keepdim)})"


def along(word: str, sign: str = ""):
    """A function along one axis: softmax(x, axis = 1)."""

    def row(x, dim, *, dtype=None):
        same_float(dtype)
        return f"{word}({sign}{x}, axis = {dim})"

    return row


def spread(word: str, mean: bool = False):
    """var and stddev; `correction` is what is taken off the count."""

    def row(x, dim=None, unbiased=None, *, correction=None, keepdim=False):
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        unsaid(not isinstance(correction, (int, type(None))), "a correction of half a value")
        off = int(unbiased is not False) if correction is None else correction
        y = f"{word}({x}{over(dim, keepdim)}, correction = {off})"
        return (y, f"mean({x}{over(dim, keepdim)})") if mean else y

    return row


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """‖x‖ of any order over any axes."""
    same_float(dtype)
    axes = over(dim, keepdim)
    if isinf(ord):
        return f"{'max' if ord > 0 else 'min'}(abs({x}){axes})"
    if ord == 0:
        return f"sum(f32({x} != 0){axes})"
    if ord < 1:  # no norms
        return f"sum(abs({x}) ** {number(ord)}{axes}) ** {number(1 / ord)}"
    return f"norm({x}, {number(ord)}{axes})"


def norm(x, p="fro", dim=None, keepdim=False, dtype=None):
    unsaid(p == "nuc", "the nuclear norm")
    return vector_norm(x, 2 if p == "fro" else p, dim, keepdim, dtype=dtype)


def normalize(x, p=2.0, dim=1, eps=1e-12):
    unsaid(p == 0, "lengths that count what is not 0")
    length = vector_norm(x, p, dim, True)
    return f"l2norm({x}, axis = {dim})" if (p, eps) == (2.0, 1e-12) else (
        f"{x} / maximum({length}, {number(eps)})")


def dist(x, y, p=2):
    unsaid(p == 0, "lengths that count what is not 0")
    left, right = fitted(x, y)
    return vector_norm(f"({left} - {right})", p)


def whether(word: str):
    def row(x, dim=None, keepdim=False):
        return f"{word}({x} != 0{over(dim, keepdim)})"

    return row


def count_nonzero(x, dim=None):
    return f"i64(sum(f32({x} != 0){over(dim)}))"


def sum_to_size(x, *sizes):
    sizes = sizes[0] if sizes and not isinstance(sizes[0], int) else sizes
    lead = x.rank - len(sizes)
    axes = [i for i in range(x.rank) if i < lead or sizes[i - lead] != x.shape[i]]
    return reshaped(f"sum({x}, axis = {shape(axes)})", sizes) if axes else str(x)


REDUCTIONS = {
    **{name: reduction(name) for name in ("sum", "mean", "logsumexp", "prod")},
    "amax": reduction("max"), "amin": reduction("min"),
    "max:reduction_no_dim": reduction("max"), "min:reduction_no_dim": reduction("min"),
    "max:reduction_with_dim": with_places("max"), "min:reduction_with_dim": with_places("min"),
    "argmax": place_of("argmax"), "argmin": place_of("argmin"), "aminmax": aminmax,
    "softmax": along("softmax"), "softmax:with_dtype": along("softmax"),
    "log_softmax": along("log_softmax"), "log_softmax:with_dtype": along("log_softmax"),
    "nn.functional.softmin": along("softmax", "-"),
    "nn.functional.softmin:with_dtype": along("softmax", "-"),
    "cumsum": along("cumsum"), "cumprod": along("cumprod"),
    **{f"{name}{variant}": spread(word, mean) for variant in ("", ":unbiased")
       for name, word, mean in (("var", "var", False), ("std", "stddev", False),
                                ("var_mean", "var", True), ("std_mean", "stddev", True))},
    "any": whether("any"), "all": whether("all"),
    "linalg.vector_norm": vector_norm, "norm": norm, "norm:fro": norm, "norm:inf": norm,
    "nn.functional.normalize": normalize, "dist": dist, "count_nonzero": count_nonzero,
    "sum_to_size": sum_to_size,
}

# ------------------------------------------------------------------ products


def matmul(x, y):
    """Vectors become matrices of one row or column; batches are repeated to one shape."""
    unsaid(not x.rank or not y.rank, "the matrix product of a single number")
    rows = (1, *x.shape) if x.rank == 1 else x.shape
    columns = (*y.shape, 1) if y.rank == 1 else y.shape
    batch = torch.broadcast_shapes(rows[:-2], columns[:-2])
    texts = []
    for operand, sizes in ((x, rows), (y, columns)):
        text = str(operand) if operand.rank > 1 else reshaped(operand, sizes)
        if sizes[:-2] != batch:
            wide = (1,) * (len(batch) + 2 - len(sizes)) + sizes
            text = f"expand({reshaped(text, wide)}, {shape((*batch, *sizes[-2:]))})"
        texts.append(text)
    product = f"matmul({', '.join(texts)})"
    return product if min(x.rank, y.rank) > 1 else reshaped(product, (x.tensor @ y.tensor).shape)


def scaled(text, factor) -> str:
    return text if factor == 1 else f"{number(factor)} * {text}"


def added(product):
    """beta · x + alpha · product(y, z)."""

    def row(x, y, z, *, beta=1, alpha=1):
        text, rank = product(y, z)
        return f"{scaled(widened(x, rank), beta)} + {scaled(text, alpha)}"

    return row


def linear(x, weight, bias=None):
    unsaid(weight.rank != 2, "a weight that is no matrix")
    construction = f"linear{{{weight.shape[0]}, bias = {flag(bias is not None)}}}"
    return layer(construction, x, weight=weight, bias=bias)


def einsum(xs, pattern):
    xs = xs if isinstance(xs, list) else [xs]
    unsaid("..." in pattern, "an ellipsis in a pattern")
    left, arrow, right = pattern.replace(" ", "").partition("->")
    unsaid(not arrow, "a pattern without a result")
    spaced = [" ".join(part) for part in (*left.split(","), right)]
    return f'einsum("{", ".join(spaced[:-1])} -> {spaced[-1]}", {", ".join(map(str, xs))})'


def inner(x, y):
    if not x.rank or not y.rank:
        return f"{x} * {y}"
    a, b = "abcdefg"[: x.rank - 1], "hijklmn"[: y.rank - 1]
    return einsum([x, y], f"{a}z,{b}z->{a}{b}")


def tensordot(x, y, *, dims):
    if isinstance(dims, int):
        dims = (range(x.rank - dims, x.rank), range(dims))
    left, right = list("abcdefg"[: x.rank]), list("hijklmn"[: y.rank])
    for i, j in zip(*dims):
        right[j] = left[i]
    result = [n for n in left if n not in right] + [n for n in right if n not in left]
    return einsum([x, y], f"{''.join(left)},{''.join(right)}->{''.join(result)}")


def bilinear(x, y, weight, bias=None):
    rows = "abcdefg"[: x.rank - 1]
    product = einsum([x, weight, y], f"{rows}i,oij,{rows}j->{rows}o")
    return product if bias is None else f"{product} + {widened(bias, x.rank)}"


def multi_dot(xs):
    matrices = [str(x) for x in xs]
    if xs[0].rank == 1:
        matrices[0] = reshaped(xs[0], (1, *xs[0].shape))
    if xs[-1].rank == 1:
        matrices[-1] = reshaped(xs[-1], (*xs[-1].shape, 1))
    text = matrices[0]
    for matrix in matrices[1:]:
        text = f"matmul({text}, {matrix})"
    rows, columns = xs[0].shape[: xs[0].rank - 1], xs[-1].shape[1:]
    return text if xs[0].rank == xs[-1].rank == 2 else reshaped(text, rows + columns)


def vecdot(x, y, *, dim=-1):
    left, right = fitted(x, y)
    return f"sum({left} * {right}, axis = {dim})"


def cosine_similarity(x, y, dim=1, eps=1e-8):
    """PyTorch's eps is 1e-8, ours 1e-12: the same where no length is that short."""
    shortest = min(float(z.tensor.detach().norm(dim=dim).min()) for z in (x, y))
    unsaid(shortest < eps, "vectors shorter than eps")
    common = torch.broadcast_shapes(x.shape, y.shape)
    return f"cosine({stretched(x, common)}, {stretched(y, common)}, axis = {dim})"


def attention(q, k, v, *, attn_mask=None, dropout_p=0.0, is_causal=False, enable_gqa=False):
    """One head for each entry of the axis before the last two."""
    unsaid(dropout_p, "dropout inside of attention")
    unsaid(enable_gqa, "one key for several heads")
    unsaid(attn_mask is not None, "a mask that is added to the scores")
    unsaid(q.rank not in (3, 4), "attention over several batch axes")
    unsaid(k.shape[:-2] != q.shape[:-2], "keys shared along the batch")
    heads = q.shape[1] if q.rank == 4 else 1
    pattern = '"b h l e -> b l (h e)"'
    wide = [f"rearrange({x}, {pattern})" if q.rank == 4 else str(x) for x in (q, k, v)]
    text = f"attend({', '.join(wide)}, heads = {heads}, causal = {flag(is_causal)})"
    return f'rearrange({text}, "b l (h e) -> b h l e", h = {heads})' if q.rank == 4 else text


def column(x: Operand) -> str:
    return reshaped(x, (*x.shape, 1))


PRODUCTS = {
    "matmul": matmul, "mm": matmul, "bmm": matmul, "mv": matmul, "dot": matmul, "vdot": matmul,
    "__rmatmul__": lambda x, y: matmul(y, x), "nn.functional.linear": linear, "einsum": einsum,
    "addmm": added(lambda y, z: (matmul(y, z), 2)),
    "addmm:decomposed": added(lambda y, z: (matmul(y, z), 2)),
    "addmv": added(lambda y, z: (matmul(y, z), 1)),
    "baddbmm": added(lambda y, z: (matmul(y, z), 3)),
    "addbmm": added(lambda y, z: (f"sum({matmul(y, z)}, axis = 0)", 2)),
    "addr": added(lambda y, z: (f"{column(y)} * {widened(z, 2)}", 2)),
    "outer": lambda x, y: f"{column(x)} * {widened(y, 2)}",
    "inner": inner, "tensordot": tensordot, "nn.functional.bilinear": bilinear,
    "linalg.multi_dot": multi_dot, "linalg.vecdot": vecdot,
    "nn.functional.cosine_similarity": cosine_similarity,
    "nn.functional.scaled_dot_product_attention": attention,
}

ROWS = REDUCTIONS | PRODUCTS
