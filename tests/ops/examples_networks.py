"""Examples of what networks are trained with: norms, draws, losses, updates."""

from __future__ import annotations

from operands import Array, B, example, integers, positive

NORM = tuple(
    case
    for shape in ((B, 3, 4, 2), (B, 2), (B, 1, 5), (4, 3, 1, 1), (B, 2, 2, 3, 2))
    for c in (shape[1],)
    for case in (
        example("batch_norm", shape, (c,), (c,), (c,), positive(c), momentum=0.3),
        example("batch_norm_input_gradient", shape, shape, (c,), (c,), positive(c)),
        example("normalize", shape, (c,), (c,), (c,), positive(c), eps=1e-3),
    )
)
ROW_NORM = tuple(
    case
    for shape in ((B, 3, 4), (B, 5), (4,), (2, 1), (B, 2, 3, 2))
    for c in (shape[-1],)
    for case in (
        example("layer_norm", shape, (c,), (c,), eps=1e-3),
        example("layer_norm", shape, (c,), None),
        example("rms_norm", shape, (c,), eps=1e-3),
    )
) + tuple(
    example("group_norm", shape, (shape[1],), (shape[1],), groups=groups, note=f"{groups} of {n}")
    for n, (shape, groups) in enumerate((
        ((B, 4, 3, 2), 2), ((B, 4, 3, 2), 1), ((B, 4, 3), 4), ((B, 6), 3), ((1, 2, 2, 2, 1), 1),
    ))
)
RECURRENT = tuple(
    case
    for length, features, d in ((4, 3, 2), (1, 2, 1), (2, 1, 3))
    for operands in (((B, length, features), (B, d), (B, d), (4 * d, features), (4 * d, d),
                      (4 * d,)),)
    for y in ((B, length, d),)
    for case in (
        example("lstm", *operands, through=(0, 1, 2), note=f"{length} steps"),
        example("lstm", *operands, through=(1,), note=f"{length} steps, the last alone"),
        example("lstm_input_gradient", y, None, (B, d), *operands, y, note=f"{length} steps"),
        example("lstm_input_gradient", None, (B, d), None, *operands, y,
                note=f"{length} steps, the last alone"),
    )
)
KEY = Array((2,), "u64", 1, 1000)
RANDOM = (
    example("dropout", (B, 5), KEY, p=0.4, stream="drop"),
    example("dropout", (B, 2, 3, 3), KEY, p=0.0, stream="none dropped"),
    example("dropout", (B, 3), KEY, p=1.0, stream="all dropped"),
    example("random_uniform", KEY, shape=(B, 3), stream="u"),
    example("random_uniform", KEY, shape=(), stream="one"),
    example("random_normal", KEY, shape=(B, 3), stream="n"),
    example("random_normal", KEY, shape=(B, 0), stream="none"),
    example("random_integers", KEY, shape=(B, 3), low=-2, high=5, stream="i"),
    example("random_categorical", positive(4), KEY, shape=(B, 3), stream="c"),
    example("random_categorical", Array((3,), low=0.0, high=1e-3), KEY, shape=(), stream="d"),
    example("random_integers", KEY, shape=(), low=0, high=1, stream="always 0"),
)
LABELLED = (
    ((B, 4), (B,), {}), ((B, 4), (B,), {"smooth": 0.1}), ((B, 3, 2, 2), (B, 2, 2), {}),
    ((B, 2, 3), (B, 2), {"axis": 2, "smooth": 0.3}), ((3,), (), {"axis": 0}), ((B, 1), (B,), {}),
)
LOSS = tuple(
    case
    for shape, rows, attrs in LABELLED
    for label in (integers(*rows, low=0, high=shape[attrs.get("axis", 1)]),)
    for case in (
        example("cross_entropy", shape, label, **attrs),
        example("cross_entropy_logits_gradient", rows, shape, label, positive(*rows), **attrs),
    )
) + (
    example("cross_entropy", Array((B, 4), low=-300.0, high=300.0), integers(B, low=0, high=4),
            note="large"),
    example("cross_entropy", (B, 4), integers(B, low=0, high=4, dtype="i32"), note="i32 labels"),
)
RATE = Array((), low=0.1, high=0.3)
UPDATE = tuple(
    example("sgd", (4, 3), (4, 3), RATE, velocity, note=note, **attrs)
    for note, velocity, attrs in (
        ("plain", None, {}),
        ("decay", None, {"weight_decay": 0.1}),
        ("momentum", (4, 3), {"momentum": 0.9}),
        ("nesterov", (4, 3), {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    )
) + tuple(
    example("adam", (4, 3), (4, 3), RATE, (4, 3), positive(4, 3),
            integers(low=1, high=9), note=f"decay {decay}{', decoupled' * decoupled}",
            weight_decay=decay, decoupled=decoupled)
    for decay, decoupled in ((0.0, False), (0.1, False), (0.1, True))
)

EXAMPLES = (*NORM, *ROW_NORM, *RECURRENT, *RANDOM, *LOSS, *UPDATE)
