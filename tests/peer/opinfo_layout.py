"""PyTorch's functions of layout and of indices in our language: name -> what a sample's arguments
become."""

from __future__ import annotations

from math import prod

import torch
from opinfo_phrases import (
    Operand,
    axis_of,
    flag,
    layer,
    listed,
    number,
    reshaped,
    shape,
    stretched,
    unsaid,
)

# ------------------------------------------------------------------ the same elements


def reshape(x, *sizes):
    sizes = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    like = sizes.shape if isinstance(sizes, Operand) else x.tensor.reshape(tuple(sizes)).shape
    return reshaped(x, like)


def by_shape(function):
    """What changes the shape alone: reshape to whatever shape PyTorch's function gives."""

    def row(x, *args, **kwargs):
        unsaid(isinstance(x, list), "a list of tensors, each for itself")
        return reshaped(x, function(x.tensor, *args, **kwargs).shape)

    return row


def permuted(x, order) -> str:
    return f"transpose({x}, {shape(order)})"


def back(order) -> list[int]:
    """The order that undoes an order of axes."""
    return sorted(range(len(order)), key=order.__getitem__)


def permute(x, *order):
    order = order[0] if order and not isinstance(order[0], int) else order
    return permuted(x, order)


def transpose(x, first, second):
    unsaid(not x.rank, "an axis of a single number")
    order = list(range(x.rank))
    order[first], order[second] = order[second], order[first]
    return permuted(x, order)


def swap_last(x):
    return f"transpose({x})" if x.rank > 1 else str(x)


def movedim(x, source, destination):
    numbered = torch.empty(tuple(range(x.rank)))  # each axis as long as its number
    return permuted(x, numbered.movedim(source, destination).shape)


def expand(x, *sizes):
    sizes = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    like = sizes.shape if isinstance(sizes, Operand) else x.tensor.expand(tuple(sizes)).shape
    return stretched(x, like)


def repeat(x, *times):
    times = times[0] if times and not isinstance(times[0], int) else times
    times = (1,) * (x.rank - len(times)) + tuple(times)
    sizes = (1,) * (len(times) - x.rank) + x.shape
    unsaid(0 in times, "a tensor repeated no times")
    apart = [n for size in sizes for n in (1, size)]
    wide = [n for pair in zip(times, sizes) for n in pair]
    whole = [n * size for n, size in zip(times, sizes)]
    return reshaped(f"expand({reshaped(x, apart)}, {shape(wide)})", whole)


# ------------------------------------------------------------------ joined and cut


def joined(xs: list[str], axis: int) -> str:
    return f"concat({', '.join(xs)}, axis = {axis})"


def cat(xs, dim=0):
    rank = max(x.rank for x in xs)
    return joined([str(x) for x in xs if x.rank == rank or x.shape != (0,)], dim)


def stack(xs, dim=0):
    return f"stack({', '.join(map(str, xs))}, axis = {dim})"


def joined_as(function, axis):
    """hstack and its like: each tensor in the shape `function` gives it, then joined."""

    def row(xs):
        wide = [x if function(x.tensor).shape == x.tensor.shape
                else reshaped(x, function(x.tensor).shape) for x in xs]
        return joined(list(map(str, wide)), 0 if axis == 1 and xs[0].rank < 2 else axis)

    return row


def column_stack(xs):
    return joined([reshaped(x, (x.tensor.numel(), 1)) if x.rank < 2 else str(x) for x in xs], 1)


def cut(x: Operand, axis: int, start: int, stop: int) -> str:
    return f"{x}[{'_, ' * axis}{start}..{stop}]"


def pieces(function):
    """split, chunk and their like: PyTorch tells the sizes, slices cut them."""

    def row(x, *args, **kwargs):
        places = [a.tensor if isinstance(a, Operand) else a for a in args]
        made = function(x.tensor, *places, **kwargs)
        sizes = [tuple(part.shape) for part in made]
        axes = [i for i in range(x.rank) if len({s[i] for s in (*sizes, x.shape)}) > 1]
        axis = axes[0] if axes else 0
        texts, start = [], 0
        for size in sizes:
            texts.append(cut(x, axis, start, start + size[axis]))
            start += size[axis]
        return tuple(texts)

    return row


def narrow(x, dim, start, length):
    start = int(start.tensor) if isinstance(start, Operand) else start
    axis = axis_of(x, dim)
    start += x.shape[axis] if start < 0 else 0
    return cut(x, axis, start, start + length)


def select(x, dim, index):
    axis = axis_of(x, dim)
    return f"{x}[{'_, ' * axis}{index % x.shape[axis]}]"


def unbind(x, dim=0):
    axis = axis_of(x, dim)
    return tuple(f"{x}[{'_, ' * axis}{i}]" for i in range(x.shape[axis]))


def sliced(x, dim=0, start=None, end=None, step=1):
    unsaid(step != 1, "a step in a slice")
    first, last, _ = slice(start, end).indices(x.shape[dim])
    return cut(x, dim, first, max(first, last))


def getitem(x, items):
    items = items if isinstance(items, (tuple, list)) else (items,)
    unsaid(isinstance(items, list), "a list of indices")
    written, axis = [], 0
    for item in items:
        unsaid(isinstance(item, (Operand, list)), "a tensor as an index")
        unsaid(item is None, "a new axis in an index")
        if item is Ellipsis:
            count = x.rank - len(items) + 1
            written += ["_"] * count
            axis += count
        elif isinstance(item, slice):
            unsaid(item.step not in (None, 1), "a step in a slice")
            start, stop, _ = item.indices(x.shape[axis])
            written.append(f"{start}..{max(start, stop)}")
            axis += 1
        else:
            written.append(str(item % x.shape[axis]))
            axis += 1
    return f"{x}[{', '.join(written)}]" if written else str(x)


def pad(x, pads, mode="constant", value=None):
    """Numbers before and after, the last axis first; where they are negative it is cut."""
    pairs = list(zip(pads[::2], pads[1::2]))
    text, sizes = str(x), list(x.shape)
    for back, (before, after) in enumerate(pairs, 1):
        axis = x.rank - back
        start, stop = max(-before, 0), sizes[axis] - max(-after, 0)
        if (start, stop) != (0, sizes[axis]):
            text = f"({text})[{'_, ' * axis}{start}..{stop}]"
        sizes[axis] = stop - start
        parts = []
        for count in (max(before, 0), max(after, 0)):
            around = [*sizes[:axis], count, *sizes[axis + 1 :]]
            parts.append(f"full({shape(around)}, {number(value or 0.0)})" if count else "")
        if any(parts):
            text = joined([part for part in (parts[0], text, parts[1]) if part], axis)
        sizes[axis] += max(before, 0) + max(after, 0)
    return text


def roll(x, shifts, dims=None):
    shifts = (shifts,) if isinstance(shifts, int) else shifts
    flat = dims is None or dims == ()
    text, sizes = (reshaped(x, (prod(x.shape),)), [prod(x.shape)]) if flat else (str(x), x.shape)
    dims = (0,) if flat else (dims,) if isinstance(dims, int) else dims
    for shift, axis in zip(shifts, dims):
        axis %= len(sizes)
        size = sizes[axis]
        if not size:
            continue
        at, before = size - shift % size, "_, " * axis
        text = joined([f"({text})[{before}{at}..{size}]", f"({text})[{before}0..{at}]"], axis)
    return reshaped(text, x.shape) if flat else text


def triangle(lower: bool):
    def row(x, diagonal=0):
        rows, columns = x.shape[-2:]
        places = [reshaped(f"arange({n}, i64)", (*(1,) * (x.rank - 2), *sizes))
                  for n, sizes in ((rows, (rows, 1)), (columns, (1, columns)))]
        sign = "<=" if lower else ">="
        return f"where({places[1]} {sign} {places[0]} + {number(diagonal)}, {x}, 0)"

    return row


def pixel_shuffle(x, *, upscale_factor):
    unsaid(x.rank != 4, "pixels of anything but [N, C, H, W]")
    p = upscale_factor
    return f'rearrange({x}, "n (c p q) h w -> n c (h p) (w q)", p = {p}, q = {p})'


def pixel_unshuffle(x, *, downscale_factor):
    unsaid(x.rank != 4, "pixels of anything but [N, C, H, W]")
    p = downscale_factor
    return f'rearrange({x}, "n c (h p) (w q) -> n (c p q) h w", p = {p}, q = {p})'


def channel_shuffle(x, groups):
    unsaid(x.rank != 4, "pixels of anything but [N, C, H, W]")
    return f'rearrange({x}, "n (g c) h w -> n (c g) h w", g = {groups})'


def glu(x, dim=-1):
    axis = axis_of(x, dim)
    half = x.shape[axis] // 2
    return f"{cut(x, axis, 0, half)} * sigmoid({cut(x, axis, half, 2 * half)})"


def diff(x, n=1, dim=-1, prepend=None, append=None):
    if not n:
        return str(x)
    parts = [str(part) for part in (prepend, x, append) if part is not None]
    axis = axis_of(x, dim)
    size = sum(part.shape[axis] for part in (prepend, x, append) if part is not None)
    text = parts[0] if len(parts) == 1 else joined(parts, axis)
    before = "_, " * axis
    for _ in range(min(n, size)):
        text = f"(({text})[{before}1..{size}] - ({text})[{before}0..{size - 1}])"
        size -= 1
    return text


def flip(x, dims):
    return f"flip({x}, axis = {listed(dims)})" if x.rank else str(x)


# ------------------------------------------------------------------ by index


def taken(x: Operand, axis: int, index: str) -> str:
    """x[…, index, …] with an index of one axis, whatever axis it counts on."""
    order = (axis, *(i for i in range(x.rank) if i != axis))
    return permuted(f"gather({permuted(x, order)}, {index}, axis = 0)", back(order))


def index_select(x, dim, index):
    return taken(x, axis_of(x, dim), reshaped(index, (index.tensor.numel(),)))


def along_axis(x, dim, index, *, sparse_grad=False):
    """PyTorch's gather: our batch axes are those before the last, after a transpose."""
    unsaid(not x.rank, "an axis of a single number")
    unsaid(index.rank != x.rank, "an index of another rank")
    axis = dim % x.rank
    others = [i for i in range(x.rank) if i != axis]
    unsaid(any(index.shape[i] > x.shape[i] for i in others), "an index wider than the tensor")
    order = (*others, axis)
    part = f"{x}[{', '.join('_' if i == axis else f'0..{index.shape[i]}' for i in range(x.rank))}]"
    wide, places = permuted(part, order), permuted(index, order)
    return permuted(f"gather({wide}, {places}, axis = {x.rank - 1})", back(order))


def take_along_dim(x, index, dim=None):
    unsaid(dim is None, "an index into all elements")
    unsaid(any(m != n for i, (m, n) in enumerate(zip(index.shape, x.shape)) if i != dim % x.rank),
           "an index that is broadcast")
    return along_axis(x, dim, index)


def embedding(table, index, **settings):
    """OpInfo's embedding takes the table first."""
    wanted = {name for name, value in settings.items() if value not in (None, False, 2.0)}
    unsaid(wanted, "rows that are rescaled, or have no gradient")
    return layer(f"embedding{{{table.shape[0]}, {table.shape[1]}}}", index, weight=table)


def sorting(x: Operand, dim: int, descending: bool) -> str:
    return f"axis = {axis_of(x, dim)}, descending = {flag(descending)}"


def argsort(x, dim=-1, descending=False, *, stable=False):
    return f"argsort({x}, {sorting(x, dim, descending)})"


def sort(x, dim=-1, descending=False, *, stable=False):
    return f"sort({x}, {sorting(x, dim, descending)})", argsort(x, dim, descending)


def topk(x, k, dim=-1, largest=True, sorted=True):
    axis = axis_of(x, dim)
    if largest:
        return f"top_k({x}, {k}, axis = {axis})[0]", f"top_k({x}, {k}, axis = {axis})[1]"
    return tuple(f"({text})[{'_, ' * axis}0..{k}]" for text in sort(x, dim))


ROWS = {
    "reshape": reshape, "reshape_as": reshape, "view": reshape, "view_as": reshape,
    "view_copy": reshape,
    "flatten": by_shape(torch.flatten), "ravel": by_shape(torch.ravel),
    "unflatten": by_shape(torch.Tensor.unflatten), "unsqueeze": by_shape(torch.unsqueeze),
    "unsqueeze_copy": by_shape(torch.unsqueeze), "squeeze": by_shape(torch.squeeze),
    "squeeze_copy": by_shape(torch.squeeze), "squeeze:multiple": by_shape(torch.squeeze),
    "atleast_1d": by_shape(torch.atleast_1d), "atleast_2d": by_shape(torch.atleast_2d),
    "atleast_3d": by_shape(torch.atleast_3d),
    "permute": permute, "permute_copy": permute, "transpose": transpose,
    "transpose_copy": transpose, "T": swap_last, "t": swap_last, "t_copy": swap_last,
    "mT": swap_last, "movedim": movedim,
    "expand": expand, "expand_as": expand, "expand_copy": expand, "broadcast_to": expand,
    "repeat": repeat, "tile": repeat,
    "cat": cat, "stack": stack, "hstack": joined_as(torch.atleast_1d, 1),
    "vstack": joined_as(torch.atleast_2d, 0), "dstack": joined_as(torch.atleast_3d, 2),
    "column_stack": column_stack,
    **{name: pieces(getattr(torch, function)) for name, function in {
        "split": "split", "split:list_args": "split", "split_with_sizes": "split_with_sizes",
        "split_with_sizes_copy": "split_with_sizes", "chunk": "chunk", "unsafe_chunk": "chunk",
        "unsafe_split": "split", "tensor_split": "tensor_split", "hsplit": "hsplit",
        "vsplit": "vsplit", "dsplit": "dsplit",
    }.items()},
    "narrow": narrow, "select": select, "slice": sliced,
    "__getitem__": getitem, "unbind": unbind, "unbind_copy": unbind,
    "constant_pad_nd": lambda x, pads, value=0: pad(x, pads, "constant", value),
    "nn.functional.pad:constant": pad, "roll": roll, "tril": triangle(True),
    "triu": triangle(False), "nn.functional.pixel_shuffle": pixel_shuffle,
    "nn.functional.pixel_unshuffle": pixel_unshuffle,
    "nn.functional.channel_shuffle": channel_shuffle, "nn.functional.glu": glu, "diff": diff,
    "flip": flip, "fliplr": lambda x: flip(x, 1), "flipud": lambda x: flip(x, 0),
    "gather": along_axis, "index_select": index_select, "take_along_dim": take_along_dim,
    "nn.functional.embedding": embedding, "argsort": argsort, "sort": sort, "topk": topk,
    "msort": lambda x: sort(x, 0)[0],
}
