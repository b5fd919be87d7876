"""Did you mean …: the nearest known word to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_KNOWN = 2000  # names compared, so that a file with very many mistakes is answered at once


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, or None when none is close."""
    known = sorted(set(known))[:MOST_KNOWN]
    lowered = {name.lower(): name for name in known}
    if word.lower() in lowered:
        return lowered[word.lower()]
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A ready suggestion, or None when nothing known is close to `word`."""
    match = nearest(word, known)
    return f"did you mean `{match}`?" if match else None
