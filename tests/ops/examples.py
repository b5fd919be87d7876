"""The smallest examples of every op, odd ones included. All universal checks run over this table.

Sizes may use the free dimension `B`; a check picks a number for it. A new op needs rows in the
file of its family and nothing else.
"""

from __future__ import annotations

import examples_axes
import examples_elementwise
import examples_losses
import examples_networks
import examples_windows
from operands import Example

FAMILIES = (
    examples_elementwise, examples_axes, examples_windows, examples_networks, examples_losses,
)
EXAMPLES: tuple[Example, ...] = tuple(row for family in FAMILIES for row in family.EXAMPLES)
