"""How each operation becomes calls: the files of `netdsl/ops` once more, here with fast kernels.
An op that has no row runs its reference kernel."""

from __future__ import annotations

from netdsl.backends.numpy.lowering import (
    constant,
    conv,
    elementwise,
    layout,
    loss,
    matmul,
    norm,
    pool,
    random,
    reduction,
    update,
)

FAMILIES = (
    constant, elementwise, reduction, layout, matmul, conv, pool, norm, random, loss, update,
)
RESERVATIONS = layout.RESERVATIONS
RULES = {name: rule for family in FAMILIES for name, rule in family.RULES.items()}
