"""How each operation becomes calls: the files of `netdsl/ops` once more, here with fast kernels.
An op that has no row runs its reference kernel."""

from __future__ import annotations

from netdsl.backends.numpy.lowering import constant, conv, elementwise, layout

RULES = {**constant.RULES, **elementwise.RULES, **layout.RULES, **conv.RULES}
