"""The colours of editors: grammars/netdsl.tmLanguage.json says of every word and sign what the
parser says. A small interpreter of TextMate grammars reads the file as an editor would."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from lark import Token
from trees import files

from netdsl.build.signature import DTYPES
from netdsl.language import ast
from netdsl.language.formatter import format_file
from netdsl.language.parser import parse
from netdsl.language.scanner import scan
from netdsl.language.words import ARITHMETIC, COMPARISONS, KEYWORDS, SIGNS
from netdsl.resources import grammar_file, models_folder
from netdsl.source import Source

FILE = grammar_file("netdsl.tmLanguage.json")
ROOT = models_folder().parent
TOUR = ROOT / "tests" / "language" / "tour.net"
BASE = "source.netdsl"

TRICKY = '''
# a comment with "quotes" and for, if, model
layer L{c, layer_norm = 1.5e-3, s = "a # no comment \\" for"}(
      x: [B, c, ...], mask: bool[B, ?] = none) {
    h = input: conv{c}(x)  # the label is a keyword
    y = x -> for: conv{3, (3, 3)} when c > 2 and not c == 8 -> then: blk.Conv{64} -> relu
    z = y.weight.0.1.input + h.loss.f32 * f32(x) / 2 // 3 - -x ** 2 % 4
    a, _ = x[_, 0..1], xs[a..b]
    sample = if 0.5 < 1 then x.layer(y) else sample
    over: if (c != 1) { model_width = 3 } else if (c >= 2) { x = 0..n.loss }
    layer: for (i, n in [1, 2]) { x = update: act{}(x) }
    with: for (i in 0..3) { x = x }
    return x, y.state
}
model M {
    input image: f32[B, 3, 8, 8]
    input small[2]: i64[B] in 0..10
    state head: i64[] = 0
    update { next head = head + 1 }
}
model Other = M{k = 1}
train full: Other {
    data digits()  batch 32  epochs 10
    freeze input, net.0.*.for, rest
    minimize ce over with.1, loss.*, stage.0.1 with adam(lr = warmup(5) -> cosine(1e-3))
    step D { minimize d over D with sgd(lr = 2E+3) } every 2
}
sample M { sample(x, t, steps = 50) }
'''


# ------------------------------------------------------------------ reading a TextMate grammar


class Grammar:
    """Gives each character of a text the innermost scope that the rules put there."""

    def __init__(self, data: dict[str, Any]):
        self.data = data
        self.compiled = cache(re.compile)

    def scopes(self, text: str) -> list[str]:
        found: list[str] = []
        open: list[dict] = []  # rules with an end that has not come
        for line in text.splitlines(keepends=True):
            found += self._line(line, open)
        return found

    def _line(self, line: str, open: list[dict]) -> list[str]:
        scopes = [self._name(open)] * len(line)
        at = 0
        while True:
            rules = self._rules(open[-1]["patterns"] if open else self.data["patterns"])
            ends = [{"match": open[-1]["end"], "ends": True}] if open else []
            best = self._first([*ends, *rules], line, at)
            if best is None:
                return scopes
            rule, found = best
            name = rule.get("name") or self._name(open)
            if "begin" in rule:
                open.append(rule)
            scopes[found.start() : found.end()] = [name] * (found.end() - found.start())
            self._capture(rule, found, line, scopes)
            if rule.get("ends"):
                open.pop()
            assert found.end() > at or rule.get("ends"), f"a rule that matches nothing: {rule}"
            at = found.end()
            scopes[at:] = [self._name(open)] * (len(line) - at)

    def _first(self, rules, line: str, at: int) -> tuple[dict, re.Match] | None:
        """The match furthest to the left; of several there, that of the first rule."""
        matches = [(rule, self._regex(rule).search(line, at)) for rule in rules]
        matches = [(rule, found) for rule, found in matches if found]
        return min(matches, key=lambda match: match[1].start(), default=None)

    def _capture(self, rule: dict, found: re.Match, line: str, scopes: list[str]) -> None:
        for group, capture in rule.get("captures", {}).items():
            start, end = found.span(int(group))
            if start < 0:
                continue
            if "name" in capture:
                scopes[start:end] = [capture["name"]] * (end - start)
            at = start
            inner = list(self._rules(capture.get("patterns", [])))
            while inner and (best := self._first(inner, line[:end], at)):
                found_in = best[1]
                scopes[found_in.start() : found_in.end()] = (
                    [best[0]["name"]] * (found_in.end() - found_in.start()))
                at = found_in.end()

    def _rules(self, patterns: list[dict]) -> Iterator[dict]:
        for rule in patterns:
            if "include" in rule:
                yield from self._rules(
                    self.data["repository"][rule["include"].removeprefix("#")]["patterns"])
            else:
                yield rule

    def _regex(self, rule: dict) -> re.Pattern:
        return self.compiled(rule.get("match") or rule["begin"])

    def _name(self, open: list[dict]) -> str:
        return open[-1]["name"] if open else BASE


@cache
def grammar() -> Grammar:
    return Grammar(json.loads(FILE.read_text("utf-8")))


# ------------------------------------------------------------------ what the parser says


def nodes(part: Any) -> Iterator[ast.Syntax]:
    if isinstance(part, tuple):
        for item in part:
            yield from nodes(item)
    elif isinstance(part, ast.Syntax):
        yield part
        for field in fields(part):
            if field.name not in ("span", "comments"):
                yield from nodes(getattr(part, field.name))


def roles(
    file: ast.File, tokens: list[Token]
) -> tuple[dict[int, str], dict[int, str], set[int]]:
    """What the tree says of words: by where they start, by where they end, and the places within
    label patterns."""
    words = [token.start_pos for token in tokens if token.type != "LPAR"]
    starts: dict[int, str] = {}
    ends: dict[int, str] = {}
    within: set[int] = set()
    for node in nodes(file):
        match node:
            case ast.Labelled() | ast.Stage() | ast.For() | ast.If() if node.label is not None:
                first = next(at for at in words if at >= node.span.start)  # `(a: b)` is a group
                starts[first] = "entity.name.label"
            case ast.LayerDeclaration() | ast.ModelDeclaration() | ast.Preset() | ast.Step():
                starts[node.name.span.start] = "entity.name.type"
            case ast.TrainDeclaration():
                for name in filter(None, (node.name, node.model)):
                    starts[name.span.start] = "entity.name.type"
            case ast.SampleDeclaration():
                starts[node.span.start] = "storage.type"
                starts[node.model.span.start] = "entity.name.type"
            case ast.Input() | ast.Declared() | ast.Operand(type=ast.TypeOf()):
                starts[node.name.span.start] = "variable.parameter"
            case ast.Construct():
                ends[node.callee.span.end] = "entity.name.type"
            case ast.Call():
                ends[node.callee.span.end] = "entity.name.function"
            case ast.Pattern():
                within |= set(range(node.span.start, node.span.end))
    return starts, ends, within


def expected(token: Token, behind_dot: bool, file_roles) -> str:
    """The scope that a token should have, or what it begins with."""
    starts, ends, within = file_roles
    if token.type in SIGNS:
        return _of_sign(token.type)
    if token.type == "STRING":
        return "string.quoted"
    if token.type in ("INT", "FLOAT"):
        return "constant.numeric"
    if token.start_pos in within:
        return "entity.name.label"
    if token.start_pos in starts:
        return starts[token.start_pos]
    if token.type in KEYWORDS and not behind_dot:
        return "storage.type" if token.value in ("layer", "model", "train", "let", "use", "as",
                                                 "net") else "keyword"
    if not behind_dot:
        named = {"_": "variable.language", **dict.fromkeys(DTYPES, "support.type"),
                 **dict.fromkeys(("true", "false", "none"), "constant.language")}
        if token.value in named:
            return named[token.value]
    plain = "variable.other.member" if behind_dot else "variable.other.netdsl"
    return ends.get(token.end_pos, plain)


def _of_sign(type: str) -> str:
    if type in ARITHMETIC | COMPARISONS:
        return f"keyword.operator.{'arithmetic' if type in ARITHMETIC else 'comparison'}"
    return {"ARROW": "keyword.operator.pipeline", "EQUAL": "keyword.operator.assignment",
            "RANGE": "keyword.operator.range", "REST": "keyword.operator.range",
            "QMARK": "keyword.operator.hole", "COMMA": "punctuation.separator",
            "COLON": "punctuation.separator", "DOT": "punctuation.accessor",
            }.get(type, "punctuation.section")


def differences(text: str) -> list[str]:
    """Where the colours of a text are not what its tokens and its tree say."""
    source = Source("text.net", text)
    file = parse(source)
    tokens, _ = scan(source)
    found_roles = roles(file, tokens)
    scopes = grammar().scopes(text)
    wrong, before = [], None
    free = set(range(len(text)))

    def compare(start: int, end: int, wanted: str) -> None:
        free.difference_update(range(start, end))
        inside = {s for s in scopes[start:end] if not s.startswith("constant.character.escape")}
        if not all(scope.startswith(wanted) for scope in inside):
            wrong.append(f"{text[start:end]!r} at {start}: {inside}, not {wanted}")

    for token in tokens:
        compare(token.start_pos, token.end_pos, expected(token, before == "DOT", found_roles))
        before = token.type
    for comment in file.comments:
        compare(comment.span.start, comment.span.end, "comment.line")
    wrong += [f"{text[at]!r} at {at}: {scopes[at]}" for at in free if scopes[at] != BASE]
    return wrong


# ------------------------------------------------------------------ tests


def test_the_file_is_what_the_tool_makes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("textmate", ROOT / "tools" / "textmate.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert FILE.read_text("utf-8") == tool.text(), "make it anew: python3 tools/textmate.py"


FILES = [*sorted(models_folder().glob("*.net")), *sorted(ROOT.glob("netdsl/layers/*/*.net")), TOUR]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_have_the_colours_of_their_tokens(path):
    assert differences(path.read_text("utf-8")) == []


def test_tricky_places_have_the_colours_of_their_tokens():
    assert differences(TRICKY) == []


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(files)
def test_any_program_has_the_colours_of_its_tokens(file):
    assume(not any(map(deceives, nodes(file))))
    assert differences(format_file(file)) == []


def deceives(node: ast.Syntax) -> bool:
    """What only the parser can tell, and no sound program has: a label before a list or a dtype,
    `a: f32[x]`, or a dtype that there is not."""
    if isinstance(node, ast.TypeOf):
        return node.dtype not in (None, *DTYPES)
    if not isinstance(node, (ast.Labelled, ast.Stage)) or node.label is None:
        return False
    inner = node.value
    while not isinstance(inner, (ast.Name, ast.ListOf)):
        first = next((f for f in ("callee", "target", "first", "left", "base", "head", "value",
                                  "start", "operand", "condition") if hasattr(inner, f)), None)
        if first is None:
            return False
        inner = getattr(inner, first)
    return isinstance(inner, ast.ListOf) or inner.id in DTYPES


@pytest.mark.parametrize("word", sorted(KEYWORDS))
def test_every_keyword_is_one_except_as_label_and_behind_a_dot(word):
    word = word.lower()
    scopes = grammar().scopes(f"{word}\n{word}: conv\nx.{word}\n{word}ed")
    alone, label, member, longer = (
        scopes[at] for at in (0, len(word) + 1, 2 * len(word) + 11, 3 * len(word) + 12))
    assert alone.startswith(("keyword", "storage.type"))
    assert label == "entity.name.label.netdsl"
    assert member == "variable.other.member.netdsl"
    assert longer == "variable.other.netdsl"


@pytest.mark.parametrize("sign", SIGNS.items(), ids=SIGNS)
def test_every_sign_has_a_scope_of_its_own_sort(sign):
    type, text = sign
    assert {scope.startswith(_of_sign(type)) for scope in grammar().scopes(text)} == {True}


@pytest.mark.parametrize("text, scope", [
    ('"a \\n b"', "constant.character.escape"),
    ('"a \\d b"', "invalid.illegal.escape"),
])
def test_escapes_in_strings(text, scope):
    assert grammar().scopes(text)[3].startswith(scope)


def test_an_unclosed_string_ends_with_its_line():
    assert grammar().scopes('let a = "b\nlet c')[-5] == "storage.type.netdsl"


def test_every_rule_is_needed_and_used():
    """Each regular expression matches somewhere in the texts above."""
    used: set[str] = set()

    class Watching(Grammar):
        def _first(self, rules, line, at):
            best = super()._first(rules, line, at)
            if best:
                used.add(self._regex_text(best[0]))
            return best

        @staticmethod
        def _regex_text(rule):
            return rule.get("match") or rule["begin"]

    watching = Watching(grammar().data)
    for text in (TRICKY, TOUR.read_text("utf-8"), '"\\d"'):
        watching.scopes(text)
    parts = grammar().data["repository"].values()
    every = {Watching._regex_text(rule) for part in parts for rule in part["patterns"]
             if "include" not in rule}
    assert every - used == set()
