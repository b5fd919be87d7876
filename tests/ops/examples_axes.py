"""Examples of what works along axes: reductions, softmax, layout, indexing."""

from __future__ import annotations

from operands import Array, B, example, integers, positive

REDUCTION = tuple(
    example(op, shape, axes=axes, keep=keep, note=f"{axes} {keep}")
    for op in ("sum", "mean", "max", "min", "prod", "logsumexp")
    for shape, axes in (
        ((B, 3, 4), (1,)), ((B, 3, 4), (0, 2)), ((B, 3, 4), (0, 1, 2)), ((B, 3), ()),
        ((B, 3, 1), (-1,)), ((B, 3, 2, 2), (0, 2, 3)), ((B, 4), (0,)),
    )
    for keep in (False, True)
) + (
    example("sum", integers(B, 3), axes=(1,), note="integers"),
    example("sum", (), axes=(), note="scalar"),
    example("max", integers(B, 6), axes=(1,), note="equal integers"),
    example("prod", integers(B, 3), axes=(1,), note="integers"),
    example("prod", (), axes=(), note="scalar"),
    example("prod", (B, 0), axes=(1,), note="of nothing"),
    example("logsumexp", Array((B, 4), low=-300.0, high=300.0), axes=(1,), note="large"),
) + tuple(
    example(op, x, axis=axis, reverse=reverse, note=f"{axis} {reverse} {n}")
    for op in ("cumsum", "cumprod")
    for n, (x, axis) in enumerate((
        (Array((B, 4)), 1), (positive(B, 2, 3), -1), (Array((B + 1, 2)), 0), (integers(B, 3), 1),
        (Array((B, 5), step=1.0), 1),
    ))
    for reverse in (False, True)
) + tuple(
    example("cumprod_factor_gradient", x, x, axis=axis, reverse=reverse, note=f"{axis} {reverse}")
    for x, axis in (((B, 4), 1), ((B, 3, 2), 1), ((B + 1, 2), 0), ((B, 1), -1))
    for reverse in (False, True)
) + (
    example("prod", Array((B, 5), step=1.0), axes=(1,), note="zeros among the factors"),
    example("prod", Array((B, 5), step=1.0), axes=(0, 1), note="several zeros"),
    example("prod_factor_gradient", (B,), (B, 4), axes=(1,)),
    example("prod_factor_gradient", (1, 3, 1), (B, 3, 2), axes=(0, -1), keep=True),
    example("prod_factor_gradient", (), (B, 2), axes=(1, 0), note="all axes"),
    example("prod_factor_gradient", (B, 2), (B, 2), axes=(), note="no axes"),
)
EXPAND = (
    example("expand", (1, 3), shape=(B, 3)),
    example("expand", (3,), shape=(B, 3), axes=(0,)),
    example("expand", (3,), shape=(B, 3, 2, 2), axes=(0, 2, 3)),
    example("expand", (), shape=(B, 2), axes=(0, 1)),
    example("expand", (B, 1, 2), shape=(B, 3, 2)),
    example("expand", (B, 2), shape=(B, 2), note="nothing to repeat"),
    example("expand", integers(1, 2), shape=(B, 2), note="integers"),
)
ALONG = tuple(
    example(op, shape, axis=axis, note=f"axis {axis} of {len(shape)}")
    for op in ("softmax", "log_softmax", "argmax", "argmin")
    for shape, axis in (((B, 4), 1), ((B, 4), 0), ((B, 3, 2), -1), ((B, 5, 2, 2), 1), ((B, 1), 1))
) + (
    example("softmax", Array((B, 4), low=-300.0, high=300.0), axis=1, note="large"),
    example("log_softmax", Array((B, 4), low=-300.0, high=300.0), axis=1, note="large"),
    example("argmax", integers(B, 6, high=0), axis=1, note="first of equals"),
    example("argmin", integers(B, 6, high=0), axis=1, note="first of equals"),
    example("softmax", (B, 0), axis=1, note="nothing"),
)
LAYOUT = (
    example("reshape", (B, 3, 4), shape=(B, 12)),
    example("reshape", (B, 3, 4), shape=(B * 2, 6)),
    example("reshape", (B, 6), shape=(B, 2, 1, 3)),
    example("reshape", (1, 1), shape=()),
    example("transpose", (B, 3), axes=(1, 0)),
    example("transpose", (B, 3, 2), axes=(1, 2, 0)),
    example("transpose", (B, 3, 2, 4), axes=(0, 2, 3, 1)),
    example("transpose", (), axes=()),
    example("flip", (B, 3), axes=(1,)),
    example("flip", (B, 3, 2), axes=(0, 2)),
    example("flip", integers(B, 1, 4), axes=(2, 1), note="integers"),
    example("flip", (B,), axes=()),
    example("concat", (B, 3), (B, 2), axis=1),
    example("concat", (B, 3), (B, 3), (2, 3), axis=0),
    example("concat", (B, 2, 3, 3), (B, 1, 3, 3), (B, 4, 3, 3), axis=1),
    example("concat", (B, 3), axis=1, note="of one"),
    example("concat", integers(B), integers(B), axis=0, note="integers"),
    example("slice", (B, 5), axis=1, start=1, stop=4),
    example("slice", (B, 5), axis=1, start=2, stop=2, note="nothing"),
    example("slice", (B + 2, 3), axis=0, start=1, stop=B + 1),
    example("slice", (B, 4, 2), axis=1, start=0, stop=4, note="everything"),
    example("pad", (B, 3), axis=1, before=1, after=2),
    example("pad", (B, 3), axis=0, before=0, after=B),
    example("pad", (B, 2, 2), axis=2, before=3, after=0),
    example("pad", (B, 2), axis=1, before=0, after=0, note="nothing"),
)


def indices(*shape, below: int, dtype: str = "i64") -> Array:
    return integers(*shape, low=0, high=below, dtype=dtype)


GATHERS = {  # x, index, axis, the result
    "rows": ((7, 3), indices(B, 4, below=7), 0, (B, 4, 3)),
    "numbers": ((6,), indices(B, below=6), 0, (B,)),
    "one row": ((6, 2), indices(below=6), 0, (2,)),
    "batched": ((B, 5, 2), indices(B, 3, below=5), 1, (B, 3, 2)),
    "batched, one each": ((B, 5, 2), indices(B, below=5), 1, (B, 2)),
    "batched twice": ((B, 2, 4), indices(B, 2, 3, below=4), 2, (B, 2, 3)),
    "narrow indices": ((B, 4), indices(B, 2, below=4, dtype="i32"), 1, (B, 2)),
    "an image": ((3, 2, 2, 2), indices(2, 2, below=3), 0, (2, 2, 2, 2, 2)),
}


def gather_examples():
    for note, (x, index, axis, y) in GATHERS.items():
        yield example("gather", x, index, axis=axis, note=note)
        yield example("scatter_add", y, index, axis=axis, shape=x, note=note)


INDEXING = (
    *gather_examples(),
    example("gather", integers(5), indices(B, below=5), axis=0, note="of integers"),
    example("argsort", (B, 5), axis=1),
    example("argsort", (B, 3, 2), axis=-2),
    example("argsort", indices(B, 9, below=3), axis=1, note="equals keep their order"),
    example("argsort", (B + 1,), axis=0),
    example("argsort", (B, 5), axis=1, descending=True),
    example("argsort", indices(B, 9, below=3), axis=-1, descending=True,
            note="equals keep their order downwards"),
    example("read", (B, 5), indices(below=4), axis=1, count=2),
    example("read", (B + 3, 2), indices(below=3, dtype="i32"), axis=0, count=B + 1),
    example("read", (B, 3), indices(below=1), axis=1, count=3, note="everything"),
    example("write", (B, 5), (B, 2), indices(below=4), axis=1),
    example("write", (B + 2, 3), (B, 3), indices(below=3, dtype="i32"), axis=0),
    example("write", integers(6), integers(2), indices(below=5), axis=0, note="integers"),
    example("write", (B, 3), (B, 3), indices(below=1), axis=1, note="everything"),
)

EXAMPLES = (*REDUCTION, *EXPAND, *ALONG, *LAYOUT, *INDEXING)
