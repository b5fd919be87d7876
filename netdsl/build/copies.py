"""`ema(m, …)` and `frozen(m)`: functions of the language whose values are instances.

A copy is an instance of its own: the body of its source's layer runs where the copy is applied, and
what it creates below its path follows the variable of the same place below the source's.
"""

from __future__ import annotations

from typing import Any

from netdsl.build.apply import constant
from netdsl.build.builder import Builder
from netdsl.build.construct import Given, Label, bind
from netdsl.build.frame import Frame
from netdsl.build.labels import join
from netdsl.build.values import UNKNOWN, Instance, InstanceFunction, described
from netdsl.diagnostics.evaluation import MissingArgument, NotApplicable, WrongKind
from netdsl.diagnostics.names import OwnedByNothing
from netdsl.diagnostics.states import AppliedBefore, BuffersUnsaid, CopyDiffers, DecayOutside
from netdsl.ir.graph import Copy, Value, Variable
from netdsl.layers.arguments import is_number
from netdsl.rewrite.rebuild import prefixes
from netdsl.source import Span

POLICIES = ("ema", "copy", "own")


EMA = InstanceFunction("ema", """\
ema(m, decay = 0.99, buffers = none)

A copy of the layer `m` that follows it: after each step that changes m,

    copy ← decay · copy + (1 - decay) · m

It is applied like m, and begins as m begins. `decay` is a number or a scalar f32 input, which a
schedule can feed. Where m holds buffers (batch norm's statistics), `buffers` says what the copy's
become: "ema" averages them like the weights, "copy" takes them over, "own" lets the copy's own
passes move them. Nothing trains a copy; wrap its results in `stop_grad` to say that no gradient
passes through (Tarvainen & Valpola 2017).""")
FROZEN = InstanceFunction("frozen", """\
frozen(m)

The layer `m`, not trained: its parameters keep their values and it runs in inference mode
everywhere, batch norm with its running statistics and dropout as the identity. Gradients still
pass through to what goes in. `frozen` is said before m is applied, best where it is made:

    base = frozen(linear{64})""")


def apply_to_instance(
    b: Builder, frame: Frame, function: InstanceFunction, given: list[Given],
    label: Label | None, span: Span,
) -> Any:
    """The instance that `ema(…)` or `frozen(…)` gives; UNKNOWN after reporting."""
    names = ("m", "decay", "buffers") if function is EMA else ("m",)
    bound = bind(b, function.name, names, given)
    if bound is None or any(g.value is UNKNOWN for g in given):
        return UNKNOWN
    if "m" not in bound:
        b.complain(MissingArgument, span, function.name, "m")
        return UNKNOWN
    source = bound["m"]
    if not isinstance(source.value, Instance):
        b.complain(WrongKind, source.span, described(source.value), "an instance of a layer",
                   f"`{function.name}(encoder)` with `encoder = Encoder{{…}}`")
        return UNKNOWN
    if function is FROZEN:
        return _frozen(b, source, span)
    return _ema(b, frame, bound, label, span)


def _frozen(b: Builder, given: Given, span: Span) -> Any:
    instance = given.value
    if instance.uses and instance.path not in b.frozen:
        b.complain(AppliedBefore, span, instance.path, instance.span)
        return UNKNOWN
    b.frozen.add(instance.path)
    return instance


def _ema(
    b: Builder, frame: Frame, bound: dict[str, Given], label: Label | None, span: Span
) -> Any:
    source = bound["m"].value
    if source.source is not None:
        b.complain(NotApplicable, bound["m"].span, "a copy of a copy")
        return UNKNOWN
    buffers = bound["buffers"].value if "buffers" in bound else None
    if buffers is not None and buffers not in POLICIES:
        b.complain(WrongKind, bound["buffers"].span, described(buffers), 'one of "ema", "copy", '
                   '"own"')
        return UNKNOWN
    decay = _decay(b, frame, bound.get("decay"), span)
    if decay is UNKNOWN:
        return UNKNOWN
    path, problem = frame.labels.claim(source.kind, label and label.text, span)
    if problem is not None and (frame.creates or isinstance(problem, OwnedByNothing)):
        b.dispute(path, problem)
    if frame.labels.loop == "none":
        return UNKNOWN
    copy = Instance(source.definition, source.attributes, path, span, frame.creates,
                    source=source, decay=decay, buffers=buffers, given=source.given,
                    frame=source.frame)
    if frame.creates:
        b.instances[path] = copy
        b.copied[path] = copy
    return copy


def _decay(b: Builder, frame: Frame, given: Given | None, span: Span) -> Any:
    """The decay as a scalar f32 tensor; UNKNOWN after reporting."""
    value, place = (0.99, span) if given is None else (given.value, given.span)
    if isinstance(value, Value) and value.type.is_float and not value.shape:
        return value
    if not is_number(value) or not 0 <= value <= 1:
        b.complain(DecayOutside, place, described(value))
        return UNKNOWN
    return constant(b, value, "f32", frame.labels.path, place)


def link_copies(b: Builder) -> dict[str, Copy]:
    """What each variable below a copy follows; reports those whose source is missing."""
    followed: dict[str, Copy] = {}
    held = _variables_below(b, {p for path, c in b.copied.items() for p in (path, c.source.path)})
    for path, copy in b.copied.items():
        if not copy.source.uses:
            continue  # told elsewhere
        own = held[copy.source.path]
        buffer = next((v.name for v in own if v.kind in ("buffer", "state")), None)
        if buffer is not None and copy.buffers is None:
            b.complain(BuffersUnsaid, copy.span, copy.source.path, buffer)
            continue
        for variable in held[path]:
            name = variable.name
            if variable.kind != "copy":
                continue
            origin = join(copy.source.path, name.removeprefix(f"{path}."))
            known = b.variables.get(origin)
            if known is None or known.type != variable.type:
                b.complain(CopyDiffers, copy.span, name, origin, str(variable.type),
                           "" if known is None else str(known.type))
                continue
            averaged = known.kind == "parameter" or copy.buffers == "ema"
            followed[name] = Copy(origin, copy.decay if averaged else None)
    return followed


def _variables_below(b: Builder, paths: set[str]) -> dict[str, list[Variable]]:
    """The variables below each of these label paths."""
    found: dict[str, list[Variable]] = {path: [] for path in paths}
    for name, variable in b.variables.items() if paths else ():
        for path in prefixes(name.rpartition(".")[0]):
            if path in found:
                found[path].append(variable)
    return found
