"""Pickles as data: arrays of numbers in plain containers, read without running anything.

Python's own reader calls whatever a pickle names, and can be made to crash by a few bytes. This one
carries out itself those operations that build dicts, lists, tuples, numbers, texts and NumPy
arrays; every other is refused by its name.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

RECONSTRUCT, NDARRAY, DTYPE, ENCODE = "_reconstruct", "ndarray", "dtype", "encode"
FROMBUFFER, BYTES = "_frombuffer", "bytes"
KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): DTYPE,
    ("numpy.core.numeric", "_frombuffer"): FROMBUFFER,  # protocol 5
    ("numpy._core.numeric", "_frombuffer"): FROMBUFFER,
    ("_codecs", "encode"): ENCODE,  # how Python 3 writes bytes in protocol 2
    ("__builtin__", "bytes"): BYTES,  # the same, of none
}
MARK = object()


class NotPlain(ValueError):
    """What a pickle holds that is no plain data, or how it is damaged."""


@dataclass(frozen=True)
class _Known:
    """One of the names that arrays are pickled with; it is never called."""

    name: str


@dataclass
class _Type:
    """A NumPy dtype under way."""

    code: str


@dataclass
class _Array:
    """A NumPy array under way."""

    values: np.ndarray | None = None


def read_plain(content: bytes) -> Any:
    """What a pickle holds; texts of Python 2 are bytes. Raises NotPlain."""
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                return _finished(machine.stack.pop())
            machine.step(opcode.name, argument)
    except NotPlain:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
            UnicodeError) as error:
        raise NotPlain(f"it is damaged ({ascii(str(error))[1:-1][:100]})") from None
    except MemoryError:
        raise NotPlain("it does not fit into memory") from None
    raise NotPlain("it has no end")


def _finished(value: Any) -> Any:
    """The whole, whose arrays stand in its outermost dict or alone."""
    if isinstance(value, dict):
        return {key: entry.values if isinstance(entry, _Array) else entry
                for key, entry in value.items()}
    return value.values if isinstance(value, _Array) else value


class _Machine:
    """The stack of a pickle, operation by operation."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in ("PROTO", "FRAME"):
            return
        if name in CONSTANTS:
            self.stack.append(CONSTANTS[name]())
        elif name in LITERALS:
            self.stack.append(LITERALS[name](argument))
        elif name in SHAPERS:
            SHAPERS[name](self)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self.memo[argument])
        elif name == "GLOBAL":
            self.stack.append(_known(*argument.split(" ", 1)))
        else:
            raise NotPlain(f"it wants to do {name}")

    def since_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not MARK:
            place -= 1
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken

    def last(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def tuple(self, count: int) -> None:
        self.stack.append(tuple(self.last(count)))

    def extend(self, entries: list[Any]) -> None:
        _expect(self.stack[-1], list).extend(entries)

    def enter(self, entries: list[Any]) -> None:
        target = _expect(self.stack[-1], dict)
        for key, value in zip(entries[::2], entries[1::2], strict=True):
            target[_expect(key, str, bytes, int)] = value  # nothing whose hash is recursive

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def named(self) -> None:
        self.stack.append(_known(*self.last(2)))

    def reduce(self) -> None:
        function, arguments = self.last(2)
        name = _expect(function, _Known).name
        if name == RECONSTRUCT:
            self.stack.append(_Array())
        elif name == FROMBUFFER:
            content, type, shape, order = arguments
            self.stack.append(_Array(_array(content, type, shape, order == "F")))
        elif name == DTYPE:
            self.stack.append(_Type(_number_type(_text(arguments[0]))))
        elif name == BYTES and arguments == ():
            self.stack.append(b"")
        elif name == ENCODE and arguments[1] in ("latin1", "latin-1", b"latin1"):
            self.stack.append(_text(arguments[0]).encode("latin-1"))
        else:
            raise NotPlain(f"it wants to call {name}")

    def build(self) -> None:
        state = _expect(self.stack.pop(), tuple)
        target = _expect(self.stack[-1], _Array, _Type)
        if isinstance(target, _Type):
            if state[1] in (">", b">"):
                target.code = f">{target.code}"
            return
        _, shape, type, fortran, content = state
        content = content.encode("latin-1") if isinstance(content, str) else content
        target.values = _array(content, type, shape, bool(fortran))


def _array(content: Any, type: Any, shape: Any, fortran: bool) -> np.ndarray:
    dtype = np.dtype(_expect(type, _Type).code)
    sizes = [_expect(size, int) for size in _expect(shape, tuple)]
    found = len(_expect(content, bytes, bytearray))
    if min(sizes, default=0) < 0 or prod(sizes) * dtype.itemsize != found:
        raise NotPlain(f"it has {found:,} bytes for an array of {sizes} {dtype}")
    return np.frombuffer(content, dtype).reshape(sizes, order="F" if fortran else "C")


def _expect(value: Any, *types: type) -> Any:
    if not isinstance(value, types):
        raise NotPlain(f"it puts a {type(value).__name__} where none belongs")
    return value


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else _expect(value, str)


def _number_type(code: str) -> str:
    if not re.fullmatch("[buif][1248]", code):
        raise NotPlain(f"it has an array of {code[:100]!a}, which are no numbers")
    return code


def _known(module: Any, name: Any) -> _Known:
    known = KNOWN.get((_text(module), _text(name)))
    if known is None:
        raise NotPlain(f"it wants to run {f'{_text(module)}.{_text(name)}'[:100]!a}")
    return _Known(known)


Do: TypeAlias = Callable[[_Machine], None]
CONSTANTS: dict[str, Callable[[], Any]] = {
    "MARK": lambda: MARK, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple,
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
}
LITERALS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT",
                     "BINUNICODE", "SHORT_BINUNICODE", "UNICODE", "BINBYTES", "SHORT_BINBYTES",
                     "BINBYTES8", "BYTEARRAY8", "BINUNICODE8"), lambda value: value),
    # texts of Python 2, which pickletools shows as Latin-1
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"),
                    lambda value: value.encode("latin-1")),
}
SHAPERS: dict[str, Do] = {
    "LIST": lambda m: m.stack.append(m.since_mark()),
    "TUPLE": lambda m: m.stack.append(tuple(m.since_mark())),
    "DICT": lambda m: (lambda entries: (m.stack.append({}), m.enter(entries)))(m.since_mark()),
    "TUPLE1": lambda m: m.tuple(1), "TUPLE2": lambda m: m.tuple(2), "TUPLE3": lambda m: m.tuple(3),
    "APPEND": lambda m: m.extend(m.last(1)),
    "APPENDS": lambda m: m.extend(m.since_mark()),
    "SETITEM": lambda m: m.enter(m.last(2)),
    "SETITEMS": lambda m: m.enter(m.since_mark()),
    "POP": lambda m: m.last(1), "POP_MARK": lambda m: m.since_mark(), "MEMOIZE": _Machine.memoize,
    "STACK_GLOBAL": _Machine.named, "REDUCE": _Machine.reduce, "BUILD": _Machine.build,
}
