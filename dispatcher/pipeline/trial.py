"""Trying a query out on one article: whether it matches, and why."""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.model.content import Article
from dispatcher.pipeline.matching import document_of
from dispatcher.topics.explain import Explanation, explain


def explained(query: str, article: Article, language: str, sources: Sequence[str] = ()) -> Explanation:
    """Why a query in this language matches an article, or does not. QueryError if it is none."""
    texts = {
        "title": article.title,
        "summary": article.summary,
        "body": article.body_text,
        "tags": ", ".join(article.tags),
        "authors": ", ".join(article.authors),
    }
    return explain(query, document_of(article, sources), language, article=texts)
