"""Scopes: which names are visible, and below which path new instances are named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netdsl.build.labels import Labels
from netdsl.build.values import Module

NOTHING = object()


@dataclass(eq=False)
class Frame:
    """One body under evaluation, or one turn of a loop inside it (then `outer` is set).

    `creates`: new parameters may be made here; `returned` is what `return` gave, NOTHING before;
    `interface` collects inputs and results where the body is a model's.
    """

    module: Module
    labels: Labels
    creates: bool = True
    outer: Frame | None = None
    names: dict[str, Any] = field(default_factory=dict)
    returned: Any = NOTHING
    interface: Any = None

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

    def is_bound(self, name: str) -> bool:
        """Whether the body itself binds the name, in this turn or around it."""
        return self._holder(name) is not None

    def bind(self, name: str, value: Any) -> None:
        """Rebinds the name where it is bound; a first binding belongs to this turn or body."""
        holder = self._holder(name)
        (holder or self).names[name] = value

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
