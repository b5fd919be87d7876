"""Programs drawn at random that mostly make sense: a name is bound before it is used, a label used
once, tensors keep the shape of the input. Now and then something does not fit."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

SIZES = ("4", "c", "2 + 2", "c // 1", "2 * len(xs)", "n * 2", "max(3, 4)", "2 ** 2", "8 - c")
STRANGE_SIZES = ("0", "-1", "B", "H", "0.5", "1 / 3", "10 ** 20", "none", "xs", "relu", "true", "q",
                 "B // 2", "H * W", "sqrt(2)", "x", "[]")
CONDITIONS = ("true", "c > 2", "c == 4", "len(xs) > 1 and c > 0", "not c != 4", "n * 2 <= 9",
              "c > 2 or n > 9", "xs == [1, 2]", "B > 0", "if c > 1 then true else false")
STRANGE_CONDITIONS = ("B % 2 == 0", "x > 0", "c", "B > 4", "xs", "n < none", "1 / 0 == 1", "B == c")
WORDS = ("relu", "tanh", "sigmoid", "softplus", "stop_grad", "maxpool(3, stride = 1, pad = 1)",
         "abs", "avgpool(3, stride = 1, pad = 1)", "dropout(0.5)", "softmax(axis = 1)", "gelu",
         "dropout(p = 0.1)")
STRANGE_WORDS = ("flatten", "global_avgpool", "maxpool(2)", "mean", "conv{4}", "linear", "q", "c",
                 "reshape([B, 3])", "x", "transpose", "argmax(axis = 1)", "f32", "i64", "zeros")
MADE = ("conv{4, k = 3, pad = 1}", "conv{4, k = 1, bias = false}", "batchnorm{}", "layernorm{}",
        "prelu{}", "conv{4, k = 3, pad = 1, groups = 2}", "std.ConvBN{4}", "std.SqueezeExcite{2}")
STRANGE_MADE = ("linear{4}", "conv{0}", "L{}", "M{}", "relu{}", "conv{k = 3}", "linear{B}", "conv",
                "embedding{4, 4}", "f32{}", "conv{4, q = 3}", "std.Nothing{}", "ema(x)")


@dataclass
class Writer:
    """Draws the statements of one body; `names` are its tensors, all of one shape."""

    draw: st.DrawFn
    layers: tuple[str, ...] = ()
    names: list[str] = field(default_factory=lambda: ["x"])
    labels: int = 0
    loops: int = 0

    def chance(self, of: int) -> bool:
        return self.draw(st.integers(1, of)) == of

    def one(self, usual: tuple[str, ...], strange: tuple[str, ...] = ()) -> str:
        return self.draw(st.sampled_from(strange if strange and self.chance(40) else usual))

    def label(self) -> str:
        self.labels += 1
        return "l" if self.chance(60) else f"l{self.labels}"

    def size(self) -> str:
        return self.one(SIZES, STRANGE_SIZES)

    def condition(self) -> str:
        if self.chance(3):
            return f"{self.size()} {self.one(('==', '!=', '<', '<=', '>', '>='))} {self.size()}"
        return self.one(CONDITIONS, STRANGE_CONDITIONS)

    def made(self) -> str:
        if self.layers and self.chance(3):
            return self.one(self.layers) + "{" + self.one(("", "4", "c = c", "act = relu")) + "}"
        return self.one(MADE, STRANGE_MADE)

    def stage(self) -> str:
        if self.chance(2):
            stage = f"{self.label()}: {self.made()}"
        else:
            stage = self.one(WORDS, STRANGE_WORDS)
        return f" -> {stage}" + (f" when {self.condition()}" if self.chance(6) else "")

    def operand(self, depth: int) -> str:
        """A tensor that may stand in any expression."""
        text = self.tensor(depth - 1)
        return text if text.isidentifier() else f"({text})"

    def tensor(self, depth: int = 2) -> str:
        name = self.one(tuple(self.names), ("q", "c", "xs"))
        if not depth:
            return name
        match self.draw(st.integers(0, 9)):
            case 0 | 1 | 2:
                return name + "".join(self.stage() for _ in range(self.draw(st.integers(1, 3))))
            case 3:
                sign = self.one(("+", "-", "*"), ("/", "**", "//", "==", "and"))
                return f"{self.operand(depth)} {sign} {self.operand(depth)}"
            case 4:
                parts = f"{self.tensor(depth - 1)}, {self.tensor(depth - 1)}"
                axis = self.one(("1",), ("0", "9"))
                return f"concat({parts}, axis = {axis})[_, 0..{self.size()}]"
            case 5:
                return f"{name}[_, 0..{self.size()}, _, 0..8]"
            case 6:
                flat = f"reshape({self.tensor(depth - 1)}, [B, ({self.size()}) * 64])"
                return f"reshape({flat}, [B, {self.size()}, 8, 8])"
            case 7:
                return (f"if {self.condition()} then {self.operand(depth)} "
                        f"else {self.operand(depth)}")
            case 8:
                return f"{self.label()}: {self.made()}({self.tensor(depth - 1)})"
        return f"where({name} > {self.one(('0', '0.5', name))}, {self.tensor(depth - 1)}, {name})"

    def statements(self, depth: int, most: int) -> list[str]:
        return [self.statement(depth) for _ in range(self.draw(st.integers(1, most)))]

    def block(self, depth: int) -> str:
        """A body in braces; what it binds first ends with it."""
        before = len(self.names)
        lines = " ".join(self.statements(depth, 2))
        del self.names[before:]
        return f"{{ {lines} }}"

    def statement(self, depth: int) -> str:
        kind = self.draw(st.integers(0, 10 if depth else 8))
        match kind:
            case 9:
                turns = self.one(("i in 0..2", "i in 0..len(xs)", "i, v in xs", "v in [x, x]"),
                                 ("i in 3", "i in 0..10 ** 9", "i in B", "v in x"))
                return f"{self.label()}: for ({turns}) {self.block(depth - 1)}"
            case 10:
                label = self.one(("", f"{self.label()}: "))
                otherwise = f" else {self.block(depth - 1)}" if self.chance(2) else ""
                return f"{label}if ({self.condition()}) {self.block(depth - 1)}{otherwise}"
            case 8:
                condition = self.one(("c == 4", "n <= c", "B > 0", "len(xs) == 2"), ("B > 4", "q"))
                return f'assert {condition} else "not {{n}} of {{c}}"'
            case 7:
                sizes = "2", "n", "n + n - 2", "len(xs)", "floor(2.5)"
                return f"n = {self.one(sizes, ('3', 'B'))}"
            case 6:
                lists = "[1, 2]", "reverse(xs)", "xs + []", "xs[0..2]"
                return f"xs = {self.one(lists, ('0..c',))}"
        name = self.one(("x", "x", "y", "z"), ("_", "c", "relu"))
        line = f"{name} = {self.tensor()}"
        if name not in self.names and name in "xyz":
            self.names.append(name)
        return line


def layer(draw: st.DrawFn, name: str) -> str:
    writer = Writer(draw)
    shape = writer.one((": [B, c_in, H, W]", ": [B, ...]", ": f32[B, 4, _, _]"), (": i64[B]", ""))
    result = writer.one(("", "", " -> [B, c, _, W]" if "W" in shape else ""), (" -> [B, ?]",))
    lines = " ".join(["n = 2", "xs = [1, 2]", *writer.statements(1, 2)])
    return (f"layer {name}{{c = 4, act = relu}}(x{shape}){result} {{ {lines} "
            f"return act({writer.tensor()}) }}")


def model(draw: st.DrawFn) -> list[str]:
    writer = Writer(draw, ("L", "K"))
    one = writer.one
    lines = ["model M{c = 4, act = relu} {", "    input x: f32[B, 4, 8, 8]"]
    if writer.chance(3):
        lines.append("    input views[2]: f32[B, 4, 8, 8]")
        lines.append("    x = x + views[0] * views[1]")
        writer.names.append("views[0]")
    if writer.chance(3):
        begin = one(("0", "zeros()", "randn([4, 8, 8])"), ("x",))
        lines += [f"    state s: f32[4, 8, 8] = {begin}",
                  "    parameter p: f32[1, 4, 1, 1] = normal(std = 0.1)"]
        following = one(("mean(x, axis = 0)", "s * 0.5"), ("x",))
        lines.append(f"    update {{ next s = {following} }}")
        writer.names.append("(x * p)")
    lines += ["    n = 2", "    xs = [1, 2]"]
    if writer.chance(3):
        copy = one(('ema(f, decay = 0.9, buffers = "ema")', "frozen(f)", "f"))
        lines += [f"    f = {writer.made()}", f"    g = {copy}", "    x = f(x)"]
        writer.names.append("g(x)")
    lines += [f"    {line}" for line in writer.statements(2, 5)]
    lines += [f"    output out = {writer.tensor()}",
              f"    loss l = {one(('mean', 'sum'), ('max', 'relu'))}({writer.operand(2)} + x)"]
    return [*lines, "}"]


def program(draw: st.DrawFn) -> list[str]:
    one = Writer(draw).one
    over = one(("", "", " over rest"), (" over l1, rest", " over q", " over *.conv"))
    minimize = (f"minimize {one(('l',), ('q', 'out'))}{over} with {one(('sgd', 'adam'))}"
                f"(lr = {one(('0.1', 'warmup(2) -> cosine(0.1)'), ('-1', 'x', 'c'))})")
    return [
        f"train {one(('', 't: '))}{one(('M',), ('P', 'Q'))} {{",
        one(("", "    feed x = y -> random_flip()"), ("    feed x, q = y", "    data digits()")),
        f"    batch {one(('4', '8'), STRANGE_SIZES)}  epochs {one(('1', '3'), STRANGE_SIZES)}",
        f"    step s {{ {minimize} }} every 2" if Writer(draw).chance(3) else f"    {minimize}",
        "}",
    ]


@st.composite
def programs(draw) -> str:
    """A file with two layers and a model, perhaps with a preset and a training program."""
    lines = ["net 1", "use std", layer(draw, "L"), layer(draw, "K"), *model(draw)]
    if draw(st.booleans()):
        c = Writer(draw).one(("4", "2 + 2", "8 / 2"), STRANGE_SIZES)
        lines.append(f"model P = M{{c = {c}}}")
    if draw(st.booleans()):
        lines += program(draw)
    return "\n".join(lines) + "\n"
