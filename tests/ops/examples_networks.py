"""Examples of what networks are trained with: norms, draws, updates."""

from __future__ import annotations

import numpy as np

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
GROUP_GRADIENT = tuple(
    example("group_norm_input_gradient", shape, shape, (shape[1],), (shape[0], groups, 1),
            positive(shape[0], groups, 1), groups=groups, note=f"{groups} of {n}")
    for n, (shape, groups) in enumerate((
        ((B, 4, 3, 2), 2), ((B, 4, 3), 4), ((B, 6), 3), ((1, 2, 2, 2, 1), 1),
    ))
)
RESPONSE = tuple(
    example(f"local_response_norm{part}", *(shape,) * (1 + bool(part)), size=size, alpha=0.7,
            beta=beta, k=k, note=f"{size} of {shape[1]}, rank {len(shape)}")
    for part in ("", "_input_gradient")
    for shape, size, beta, k in (
        ((B, 6, 2, 3), 5, 0.75, 2.0), ((B, 2, 2, 2), 3, 0.5, 1.0), ((B, 5, 3), 3, 0.75, 1.0),
        ((B, 1, 2, 1, 2), 1, 1.0, 1.0), ((B, 5, 2, 2), 4, 0.75, 1.0), ((B, 3, 4), 2, 2.0, 0.5),
    )
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

def number(value: float) -> Array:
    """A number of an optimiser's formula."""
    return Array((), "f64", derive=lambda *known: np.array(value))


NONE, TENTH, HALF, MOST = number(0.0), number(0.1), number(0.5), number(0.9)
EPS, STEP, WEIGHT, ROOT = number(1e-3), integers(low=1, high=9), (4, 3), positive(4, 3)
UPDATE = (
    *(
        example("sgd", WEIGHT, WEIGHT, TENTH, mu, tau, decay, STEP, v, note=note, nesterov=ahead)
        for note, mu, tau, decay, v, ahead in (
            ("plain", NONE, NONE, NONE, None, False),
            ("decay", NONE, NONE, TENTH, None, False),
            ("momentum", MOST, NONE, NONE, WEIGHT, False),
            ("dampening", MOST, HALF, TENTH, WEIGHT, False),
            ("nesterov", MOST, NONE, TENTH, WEIGHT, True),
        )
    ),
    *(
        example("adagrad", WEIGHT, WEIGHT, TENTH, HALF, EPS, decay, STEP, ROOT, note=note)
        for note, decay in (("plain", NONE), ("decay", TENTH))
    ),
    *(
        example("rmsprop", WEIGHT, WEIGHT, TENTH, MOST, MOST, EPS, decay, ROOT, mean, v, note=note)
        for note, decay, mean, v in (
            ("plain", NONE, None, None),
            ("decay, momentum", TENTH, None, WEIGHT),
            ("centered", NONE, Array(WEIGHT, low=-0.2, high=0.2), None),
            ("centered, momentum", TENTH, Array(WEIGHT, low=-0.2, high=0.2), WEIGHT),
        )
    ),
    *(
        example("adam", WEIGHT, WEIGHT, TENTH, HALF, MOST, EPS, decay, STEP, WEIGHT, ROOT, largest,
                note=note, decoupled=decoupled)
        for note, decay, largest, decoupled in (
            ("plain", NONE, None, False),
            ("decay", TENTH, None, False),
            ("decoupled decay", TENTH, None, True),
            ("amsgrad", TENTH, ROOT, False),
        )
    ),
)

EXAMPLES = (*NORM, *ROW_NORM, *GROUP_GRADIENT, *RESPONSE, *RECURRENT, *RANDOM, *UPDATE)
