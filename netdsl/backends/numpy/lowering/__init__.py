"""How each operation becomes calls: the files of `netdsl/ops` once more, here with fast kernels.
An op that has no row runs its reference kernel."""

from __future__ import annotations

from netdsl.backends.numpy.lowering import (
    activation,
    constant,
    conv,
    elementwise,
    layout,
    local,
    loss,
    matmul,
    norm,
    pool,
    random,
    reduction,
    rownorm,
    update,
)

FAMILIES = (
    constant, elementwise, activation, reduction, layout, matmul, conv, local, pool, norm,
    rownorm, random, loss, update,
)
RESERVATIONS = layout.RESERVATIONS
RULES = {name: rule for family in FAMILIES for name, rule in family.RULES.items()}
