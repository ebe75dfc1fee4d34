"""How an explanation of a match looks in a terminal: the verdict, then each leaf with its words highlighted."""

from __future__ import annotations

from rich.markup import escape

from dispatcher.cli.show import say
from dispatcher.model.content import Article
from dispatcher.topics.explain import Explanation, LeafLine, Snippet


def print_explanation(found: Explanation, article: Article) -> None:
    """Say whether the query matches the article, and why."""
    verdict = f"[green]match[/] (score {found.score:.2f})" if found.score is not None else "[red]no match[/]"
    language = article.language or "no language named"
    say(f"{verdict}: [bold]{escape(article.title)}[/] [dim]({escape(language)})[/]")
    for leaf in found.leaves:
        say(_leaf(leaf))
        for snippet in leaf.snippets:
            say(f"      {_snippet(snippet)}")
    if found.missing:
        say(f"  missing: {escape(', '.join(found.missing))}")
    if found.forbidden:
        say(f"  forbidden, but there: {escape(', '.join(found.forbidden))}")


def _leaf(leaf: LeafLine) -> str:
    mark = ("[red]✗[/]" if leaf.is_negated else "[green]✓[/]") if leaf.is_hit else "[dim]·[/]"
    sign = "-" if leaf.is_negated else ""
    where = ", ".join(f"{field} {count}×" for field, count in leaf.counts) or "not found"
    return f"  {mark} {sign}{escape(leaf.text)}  [dim]{escape(where)}[/]"


def _snippet(snippet: Snippet) -> str:
    words = "".join(f"[reverse]{escape(part)}[/]" if hit else escape(part) for part, hit in snippet.parts())
    return f"[dim]{escape(snippet.field)}:[/] {words}"
