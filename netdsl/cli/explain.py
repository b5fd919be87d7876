"""`netdsl explain`: pages about messages and words."""

from __future__ import annotations

import inspect

import click

from netdsl.cli.pages import Page, all_pages
from netdsl.cli.terminal import show
from netdsl.cli.verb import Verb
from netdsl.diagnostics.suggest import did_you_mean, elsewhere

EXAMPLES = """\b
Examples:
  netdsl explain N301          an error
  netdsl explain conv          a layer
  netdsl explain sgd           an optimiser
  netdsl explain '->'          a sign
  netdsl explain               everything that has a page
"""


@click.command(cls=Verb, epilog=EXAMPLES, context_settings={"ignore_unknown_options": True})
@click.argument("word", metavar="[CODE|WORD]", required=False)
def command(word: str | None) -> None:
    """Explain an error code or a word of the language.

    Words are layers, functions, initialisers, keywords, signs, data sources, transforms, optimisers
    and schedules, verbs and their options. Without one, everything that has a page is listed.
    """
    pages = list(all_pages())
    if word is None:
        show(contents(pages))
        return
    asked = " ".join(word.lower().split())
    found = [page for page in pages if asked in (page.word.lower(), page.title.lower())]
    if not found:
        found = command_pages(word, click.get_current_context())
    if not found and asked.startswith("val."):  # a figure of the user's own
        found = [page for page in pages if page.word == "val"]
    ours = None if found else elsewhere(word, [page.word for page in pages])
    if ours is not None:
        show(f"`{word}` is called `{ours}` here.\n")
        found = [page for page in pages if page.word == ours]
    if not found:
        hint = did_you_mean(word, [page.word for page in pages])
        known = "`netdsl explain` lists what there is"
        raise click.UsageError(f"nothing is called `{word}`; {hint or known}")
    show("\n\n".join(map(page_text, found)))


def command_pages(word: str, context: click.Context) -> list[Page]:
    """Of a verb, or of an option of verbs, which `--help` tells of as well."""
    group = context.parent.command
    if word in group.list_commands(context):
        verb = group.get_command(context, word)
        return [Page(word, "verb", f"netdsl {word}", f"{inspect.cleandoc(verb.help)}\n\n"
                     f"`netdsl {word} --help` shows what it takes.")]
    if not word.startswith("-"):
        return []
    pages = []
    for name in group.list_commands(context):
        for option in group.get_command(context, name).params:
            if isinstance(option, click.Option) and word in option.opts:
                title = " ".join((", ".join(option.opts), option.metavar or "")).strip()
                pages.append(Page(word, f"option of {name}", title, option.help or ""))
    return pages


def page_text(page: Page) -> str:
    if page.is_problem:
        head = f"{page.sort}[{page.word}]: {page.title}"
    else:
        head = f"{page.title}    ({page.sort})"
    return f"{head}\n\n{page.text}".rstrip()


def plural(sort: str) -> str:
    """The heading of a sort: "libraries", "ways to stop"."""
    first, space, rest = sort.partition(" ")
    if rest.startswith(("to ", "of ")):
        return f"{first}s{space}{rest}"
    return sort.removesuffix("y") + "ies" if sort.endswith("ry") else f"{sort}s"


def contents(pages: list[Page]) -> str:
    """The titles, sort by sort."""
    sorts: dict[str, list[str]] = {}
    for page in pages:
        if page.is_problem:
            sorts.setdefault("messages", []).append(f"  {page.word}  {page.title}")
        else:
            sorts.setdefault(plural(page.sort), []).append(f"  {page.title}")
    return "\n\n".join("\n".join((sort, *lines)) for sort, lines in sorts.items())
