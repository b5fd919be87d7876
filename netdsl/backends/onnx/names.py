"""Names in an ONNX file: unique, and readable where the model leaves a choice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from netdsl.diagnostics import Refused
from netdsl.diagnostics.onnx import UnusableName
from netdsl.ir.graph import Graph, Node
from netdsl.source import Span


class Names:
    """Hands out names that nothing else has; `reserved` ones are taken from the beginning."""

    def __init__(self, reserved: Iterable[str] = ()):
        self._taken = set(reserved)
        self._count: dict[str, int] = {}

    def unique(self, wanted: str) -> str:
        """`wanted` itself the first time, then `wanted_1`, `wanted_2` …"""
        name = wanted
        while name in self._taken:
            self._count[wanted] = self._count.get(wanted, 0) + 1
            name = f"{wanted}_{self._count[wanted]}"
        self._taken.add(name)
        return name


def node_label(node: Node) -> str:
    """What a node is called: the label path of its layer and its op, `stage.0.conv1/conv`."""
    return f"{node.path}/{node.op.name}" if node.path else node.op.name


def position(span: Span | None) -> str:
    """`file.net:18:17`, without the folders, which say something about the user's machine."""
    if span is None:
        return ""
    line, column = span.source.position(span.start)
    text = f"{PurePath(span.source.name).name}:{line}:{column}"
    return text.encode(errors="replace").decode()


def check_names(graph: Graph) -> None:
    """Raises Refused (N803) for a name that ONNX cannot hold, or that would mean two tensors."""
    tensors = {}
    for name, value in interface(graph):
        if not name:
            raise Refused(UnusableName(name, "it is empty, which means `absent` there"))
        if tensors.setdefault(name, value) is not value:
            raise Refused(UnusableName(name, "two tensors have it; call the output otherwise"))
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise Refused(UnusableName(name, "it is not valid text")) from error


def interface(graph: Graph):
    """Every name that the file must keep, with its value."""
    yield from graph.inputs.items()
    yield from ((name, variable.value) for name, variable in graph.variables.items())
    yield from graph.outputs.items()
