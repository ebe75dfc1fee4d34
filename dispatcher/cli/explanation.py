"""How an explanation of a match looks in a terminal: the verdict, then each leaf with its words highlighted."""

from __future__ import annotations

from rich.text import Text

from dispatcher.cli.show import is_terminal, printable, say
from dispatcher.model.content import Article
from dispatcher.topics.explain import Explanation, LeafLine, Snippet


def print_explanation(found: Explanation, article: Article) -> None:
    """Say whether the query matches the article, and why."""
    verdict = ("no match", "red") if found.score is None else (f"match (score {found.score:.2f})", "green")
    language = article.language or "no language named"
    say(Text.assemble(verdict, ": ", (printable(article.title), "bold"), (f" ({language})", "dim")))
    for leaf in found.leaves:
        say(_leaf(leaf))
        for snippet in leaf.snippets:
            say(_snippet(snippet))
    if found.missing:
        say(f"  missing: {', '.join(found.missing)}")
    if found.forbidden:
        say(f"  forbidden, but there: {', '.join(found.forbidden)}")


def _leaf(leaf: LeafLine) -> Text:
    mark = (("✗", "red") if leaf.is_negated else ("✓", "green")) if leaf.is_hit else ("·", "dim")
    sign = "-" if leaf.is_negated else ""
    where = ", ".join(f"{field} {count}×" for field, count in leaf.counts) or "not found"
    return Text.assemble("  ", mark, f" {sign}{printable(leaf.text)}  ", (where, "dim"))


def _snippet(snippet: Snippet) -> Text:
    """The snippet with its hits in reverse; in a pipe, where that does not show, between **."""
    shown = Text.assemble("      ", (f"{snippet.field}: ", "dim"))
    for part, is_hit in snippet.parts():
        mark = "**" if is_hit and not is_terminal() else ""
        shown.append(f"{mark}{printable(part, lines=True)}{mark}", "reverse" if is_hit else None)
    return shown
