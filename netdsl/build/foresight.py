"""Reaching into a layer before it is applied: `output features = online.backbone(image)`.

What lies in a layer comes to be when its body runs. Where a body asks for it earlier, the model is
built twice: the first pass shows what there will be, the second makes it when it is asked for and
finds it there when the body comes to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from netdsl.build.values import Instance, Place, described
from netdsl.diagnostics.names import NotApplied
from netdsl.ir.graph import Value, Variable
from netdsl.rewrite.rebuild import prefixes
from netdsl.source import Span

if TYPE_CHECKING:
    from netdsl.build.builder import Builder


@dataclass(eq=False)
class Foresight:
    """What an earlier pass made, by label path; nothing in the first. `missed` gathers paths that
    were asked for and are not there yet: where, and of which instance."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    missed: dict[str, tuple[Span, Instance]] = field(default_factory=dict)
    _early: set[str] = field(default_factory=set)  # made ahead of the body they belong to

    def reach(self, b: Builder, path: str) -> Any:
        """The instance, tensor or place at a path that is still to come; None where none is."""
        if path in self._early or path in b.instances or path in b.variables:
            return None
        instance, variable = self.instances.get(path), self.variables.get(path)
        if instance is not None:
            made = Instance(instance.definition, _here(b, instance.attributes), path,
                            instance.span)
            b.instances[path] = made
            self._early.add(path)
            return made
        if variable is not None:
            made = replace(variable, value=Value(variable.type, name=path))
            b.variables[path] = made
            self._early.add(path)
            return made.value
        below = f"{path}."
        ahead = (*self.instances, *self.variables)
        return Place(path) if any(name.startswith(below) for name in ahead) else None

    def arrives(self, path: str) -> bool:
        """Whether the body has come to what was made early. Tells it once."""
        if path not in self._early:
            return False
        self._early.discard(path)
        return True

    def missed_any(
        self, instances: Mapping[str, Instance], variables: Mapping[str, Variable]
    ) -> bool:
        """Whether something of what was missed came to be in the end."""
        if not self.missed:
            return False
        made = {path for name in (*instances, *variables) for path in prefixes(name)}
        return not made.isdisjoint(self.missed)

    def tell_missed(self, b: Builder) -> None:
        """Report what was asked for and never came, unless an error keeps its owner from coming."""
        told = b.errors
        for span, owner in self.missed.values():
            if not (told and owner.failed):
                b.complain(NotApplied, span, described(owner), owner.span)


def _here(b: Builder, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the first pass with the instances among them as they are in this one."""
    return {
        name: b.instances.get(value.path, value) if isinstance(value, Instance) else value
        for name, value in attributes.items()
    }
