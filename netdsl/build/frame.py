"""Scopes: which names are visible, and below which path new instances are named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netdsl.build.labels import Labels
from netdsl.build.values import Instance, Module
from netdsl.language import ast

NOTHING = object()


@dataclass(eq=False)
class Frame:
    """One body under evaluation, or one turn of a loop inside it (then `outer` is set).

    `creates`: new parameters may be made here; `returned` is what `return` gave, NOTHING before;
    `failed` tells that an assertion does not hold, so that nothing behind it is evaluated;
    `interface` collects inputs and results where the body is a model's. For explanations there
    are the `instance` whose body it is, its `operands` by their tensors, and what the names were
    `bound` to, as written.
    """

    module: Module
    labels: Labels
    creates: bool = True
    outer: Frame | None = None
    names: dict[str, Any] = field(default_factory=dict)
    returned: Any = NOTHING
    failed: bool = False
    interface: Any = None
    instance: Instance | None = None
    operands: dict[Any, ast.Operand] = field(default_factory=dict)
    bound: dict[str, ast.Expr] = field(default_factory=dict)
    path: str = field(init=False)  # where the scope begins; a branch has labels of its own

    def __post_init__(self) -> None:
        self.path = self.labels.path

    def turn(self, labels: Labels) -> Frame:
        """The scope of one turn of a loop in this one."""
        return Frame(self.module, labels, self.creates, self)

    @property
    def body(self) -> Frame:
        """The frame of the whole body that this turn belongs to."""
        frame = self
        while frame.outer is not None:
            frame = frame.outer
        return frame

    def find(self, name: str) -> Any:
        """What a name stands for in this body or its file, NOTHING if it has no meaning there."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.outer
        return self.module.names.get(name, NOTHING)

    def expression(self, name: str) -> ast.Expr | None:
        """What the body bound the name to, as written; None for what comes from elsewhere."""
        holder = self._holder(name)
        return None if holder is None else holder.bound.get(name)

    def is_bound(self, name: str) -> bool:
        """Whether the body itself binds the name, in this turn or around it."""
        return self._holder(name) is not None

    def bind(self, name: str, value: Any, expr: ast.Expr | None = None) -> Frame:
        """Rebinds the name where it is bound; a first binding belongs to this turn or body.
        `expr` is what was written. Gives the scope that holds the name."""
        holder = self._holder(name) or self
        holder.names[name] = value
        if expr is not None:
            holder.bound[name] = expr
        return holder

    def visible(self) -> tuple[str, ...]:
        """Every name that would be found, for suggestions."""
        names: list[str] = []
        frame: Frame | None = self
        while frame is not None:
            names.extend(frame.names)
            frame = frame.outer
        return (*names, *self.module.names)

    def _holder(self, name: str) -> Frame | None:
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame
            frame = frame.outer
        return None
