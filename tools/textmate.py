#!/usr/bin/env python3
"""Writes grammars/netdsl.tmLanguage.json, by which editors colour `.net` files.

    python3 tools/textmate.py

Words and signs come from netdsl/language/words.py, numbers, names and comments from the terminals
of grammars/netdsl.lark; what is a label, a layer or a function is told by the shape around a name.
Regular expressions keep to what Oniguruma, which editors use, and Python's `re` both read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from environment import PROJECT, enter_environment

TARGET = PROJECT / "grammars" / "netdsl.tmLanguage.json"
LANGUAGE = "netdsl"

# Keywords by what they do; a word that stands nowhere here is `keyword.other`.
CONTROL = {"FOR", "IF", "THEN", "ELSE", "WHEN", "RETURN", "ASSERT"}
IN_WORDS = {"AND", "OR", "NOT", "IN"}
CONSTANTS = ("true", "false", "none")


def language() -> dict[str, Any]:
    """The whole file, as data."""
    from netdsl.build.signature import DTYPES
    from netdsl.language.grammar import grammar
    from netdsl.language.words import DECLARATIONS, KEYWORDS

    def terminal(name: str) -> str:
        return grammar()[0].get_terminal(name).pattern.value

    name, number = terminal("NAME"), terminal("INT")
    declaring = {*DECLARATIONS, "NET", "AS"} & KEYWORDS
    other = KEYWORDS - declaring - CONTROL - IN_WORDS
    keywords = [
        rule("storage.type", whole(lowered(declaring))),
        rule("keyword.control", whole(lowered(CONTROL))),
        rule("keyword.operator.word", whole(lowered(IN_WORDS))),
        rule("keyword.other", whole(lowered(other))),
    ]
    dtype = whole(DTYPES)
    segment = rf"(?:{name}|{number}|\*)"
    path = rf"{segment}(?:\s*\.\s*{segment})*"
    repository = {
        "comment": [rule("comment.line.number-sign", terminal("COMMENT"))],
        "string": [{
            "name": scope("string.quoted.double"), "begin": '"', "end": '"|$',
            "patterns": [rule("constant.character.escape", r'\\["\\nt]'),
                         rule("invalid.illegal.escape", r"\\.")],
        }],
        # `layer Block`, `step D`: what a word declares. `sample` is a keyword in this place only.
        "declaration": [
            rule(None, rf"\b(layer|model)\s+({name})", "storage.type", "entity.name.type"),
            rule(None, rf"\b(train)\s+({name})(?:\s*(:)\s*({name}))?", "storage.type",
                 "entity.name.type", "punctuation.separator", "entity.name.type"),
            rule(None, rf"\b(sample)\s+(?!{whole(lowered(KEYWORDS))})({name})(?=\s*\{{)",
                 "storage.type", "entity.name.type"),
            rule(None, rf"\b(step)\s+({name})(?=\s*\{{)", "keyword.other", "entity.name.type"),
            rule(None, rf"\b(input|state|parameter)\s+({name})", "keyword.other",
                 "variable.parameter"),
        ],
        # `over stage.*.bn, rest`: label paths, in which every word is one.
        "pattern": [{
            "match": rf"\b(over|freeze)\s+({path}(?:\s*,\s*{path})*)",
            "captures": {
                "1": {"name": scope("keyword.other")},
                "2": {"patterns": [rule("entity.name.label", name), include("number"),
                                   include("sign")]},
            },
        }],
        "label": [
            # `x: [B, c]` and `x: f32[B]` declare a tensor; before anything else it is a label
            rule(None, rf"\b({name})\s*(:)(?=\s*(?:{dtype})?\s*\[)", "variable.parameter",
                 "punctuation.separator"),
            rule(None, rf"\b({name})\s*(:)", "entity.name.label", "punctuation.separator"),
        ],
        # Behind a dot, but not behind the two of a range, every word is a member.
        "member": [
            rule(None, rf"(?<!\.)(\.)\s*({name})(?=\{{)", "punctuation.accessor",
                 "entity.name.type"),
            rule(None, rf"(?<!\.)(\.)\s*({name})(?=\()", "punctuation.accessor",
                 "entity.name.function"),
            rule(None, rf"(?<!\.)(\.)\s*({name})", "punctuation.accessor",
                 "variable.other.member"),
        ],
        "number": [
            rule("constant.numeric.float", terminal("FLOAT")),
            rule("constant.numeric.integer", number),
        ],
        "keyword": keywords,
        "name": [
            rule("constant.language", whole(CONSTANTS)),
            rule("variable.language.anonymous", whole(["_"])),
            rule("support.type.dtype", dtype),
            rule("entity.name.type", rf"\b{name}(?=\{{)"),
            rule("entity.name.function", rf"\b{name}(?=\()"),
            rule("variable.other", rf"\b{name}"),
        ],
        "sign": signs(),
    }
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "comment": "Made by tools/textmate.py from the grammar's own tables; change those.",
        "name": LANGUAGE,
        "scopeName": f"source.{LANGUAGE}",
        "fileTypes": ["net"],
        "patterns": [include(part) for part in repository],
        "repository": {part: {"patterns": rules} for part, rules in repository.items()},
    }


def signs() -> list[dict[str, Any]]:
    """A rule for each sort of sign, those with the longest signs first: `...` before `..` before
    `.`, `->` before `-`."""
    from netdsl.language.words import ARITHMETIC, CLOSED_BY, CLOSING, COMPARISONS, SIGNS

    sorts = {
        "keyword.operator.range": {"REST", "RANGE"},
        "keyword.operator.pipeline": {"ARROW"},
        "keyword.operator.comparison": COMPARISONS,
        "keyword.operator.arithmetic": ARITHMETIC,
        "keyword.operator.assignment": {"EQUAL"},
        "keyword.operator.hole": {"QMARK"},
        "punctuation.section.brackets": {*CLOSED_BY, *CLOSING},
        "punctuation.separator": {"COMMA", "COLON"},
        "punctuation.accessor": {"DOT"},
    }
    unsorted = SIGNS.keys() - set().union(*sorts.values())
    if unsorted:
        raise SystemExit(f"say what sort of sign these are: {sorted(unsorted)}")
    return [rule(sort, alternatives(SIGNS[type] for type in types))
            for sort, types in sorts.items()]


# ------------------------------------------------------------------ how rules are written


def scope(name: str) -> str:
    return f"{name}.{LANGUAGE}"


def rule(name: str | None, match: str, *captures: str) -> dict[str, Any]:
    made: dict[str, Any] = {} if name is None else {"name": scope(name)}
    made["match"] = match
    if captures:
        made["captures"] = {str(i): {"name": scope(c)} for i, c in enumerate(captures, 1)}
    return made


def include(part: str) -> dict[str, str]:
    return {"include": f"#{part}"}


def lowered(types: Iterable[str]) -> list[str]:
    return [type.lower() for type in types]


def alternatives(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=lambda text: (-len(text), text))))


def whole(words: Collection[str]) -> str:
    return rf"\b(?:{alternatives(words)})\b"


def text() -> str:
    """What the file holds."""
    return json.dumps(language(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    enter_environment()
    TARGET.write_text(text(), "utf-8")
    print(f"wrote {TARGET.relative_to(PROJECT)}")
