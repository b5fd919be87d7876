"""Every operator that PyTorch and we share: its name in PyTorch, with the variant OpInfo has of it
(`max:binary`), and how a sample of it is said in our language.

A row is a function of the sample's arguments, named as PyTorch names them, in which tensors are
operands. It gives an expression, a tuple of them, or a `Phrase`; it raises `Unsaid` for what the
language has no words for.
"""

from __future__ import annotations

from types import ModuleType

import opinfo_elementwise
import opinfo_layout
import opinfo_losses
import opinfo_reductions
import opinfo_windows
from torch.testing._internal.common_methods_invocations import op_db

FAMILIES: tuple[ModuleType, ...] = (
    opinfo_elementwise, opinfo_reductions, opinfo_layout, opinfo_windows, opinfo_losses,
)
ROWS = {name: row for family in FAMILIES for name, row in family.ROWS.items()}
OPERATORS = {
    f"{op.name}:{op.variant_test_name}" if op.variant_test_name else op.name: op for op in op_db
}
