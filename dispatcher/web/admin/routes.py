"""Every admin page: its address, and the role it takes. A test walks this list with every role."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import FastAPI
from starlette.routing import Route

from dispatcher.model.values import Role
from dispatcher.web.admin import (
    dashboard,
    deliveries,
    editions,
    log,
    people,
    queries,
    readers,
    sign_in,
    sources,
    tables,
    topics,
)
from dispatcher.web.admin.door import Page, behind


class Entry(NamedTuple):
    """One page behind the door."""

    method: str
    path: str
    role: Role
    page: Page


ENTRIES = (
    Entry("GET", "", Role.VIEWER, dashboard.show),
    Entry("POST", "/sign-out", Role.VIEWER, sign_in.sign_out),
    Entry("GET", "/sessions", Role.VIEWER, sign_in.sessions),
    Entry("POST", "/sessions/others/end", Role.VIEWER, sign_in.end_other_sessions),
    Entry("POST", "/sessions/{number}/end", Role.VIEWER, sign_in.end_session),
    Entry("GET", "/sources", Role.VIEWER, sources.listing),
    Entry("POST", "/sources", Role.EDITOR, sources.add),
    Entry("GET", "/sources/{number}", Role.VIEWER, sources.one),
    Entry("POST", "/sources/{number}", Role.EDITOR, sources.edit),
    Entry("POST", "/sources/{number}/pause", Role.EDITOR, sources.pause),
    Entry("POST", "/sources/{number}/resume", Role.EDITOR, sources.resume),
    Entry("POST", "/sources/{number}/remove", Role.EDITOR, sources.remove),
    Entry("GET", "/topics", Role.VIEWER, topics.listing),
    Entry("POST", "/topics", Role.EDITOR, topics.add),
    Entry("GET", "/topics/{number}", Role.VIEWER, topics.one),
    Entry("POST", "/topics/{number}", Role.EDITOR, topics.edit),
    Entry("POST", "/topics/{number}/pause", Role.EDITOR, topics.pause),
    Entry("POST", "/topics/{number}/resume", Role.EDITOR, topics.resume),
    Entry("POST", "/topics/{number}/remove", Role.EDITOR, topics.remove),
    Entry("GET", "/editions", Role.VIEWER, editions.listing),
    Entry("POST", "/editions", Role.EDITOR, editions.add),
    Entry("GET", "/editions/{number}", Role.VIEWER, editions.one),
    Entry("POST", "/editions/{number}", Role.EDITOR, editions.edit),
    Entry("GET", "/editions/{number}/letter", Role.VIEWER, editions.letter),
    Entry("POST", "/editions/{number}/test", Role.EDITOR, editions.prove),
    Entry("POST", "/editions/{number}/schedule", Role.EDITOR, editions.schedule),
    Entry("POST", "/editions/{number}/send", Role.EDITOR, editions.send),
    Entry("POST", "/editions/{number}/{move}", Role.EDITOR, editions.move),
    Entry("GET", "/query", Role.VIEWER, queries.form),
    Entry("POST", "/query", Role.VIEWER, queries.attempt),
    Entry("GET", "/readers", Role.VIEWER, readers.find),
    Entry("GET", "/readers/{number}", Role.VIEWER, readers.one),
    Entry("GET", "/readers/{number}/preview", Role.VIEWER, readers.next_digest),
    Entry("GET", "/readers/{number}/letter", Role.VIEWER, readers.letter),
    Entry("POST", "/readers/{number}/pause", Role.EDITOR, readers.pause),
    Entry("POST", "/readers/{number}/resume", Role.EDITOR, readers.resume),
    Entry("POST", "/readers/{number}/unsubscribe", Role.EDITOR, readers.unsubscribe),
    Entry("POST", "/readers/{number}/erase", Role.OWNER, readers.erase),
    Entry("GET", "/deliveries", Role.VIEWER, deliveries.listing),
    Entry("POST", "/deliveries", Role.EDITOR, deliveries.change),
    Entry("GET", "/deliveries/{number}", Role.VIEWER, deliveries.one),
    Entry("GET", "/tables", Role.VIEWER, tables.first),
    Entry("GET", "/tables/{key}", Role.VIEWER, tables.listing),
    Entry("GET", "/tables/{key}/detail", Role.VIEWER, tables.row),
    Entry("GET", "/log", Role.VIEWER, log.show),
    Entry("GET", "/operators", Role.OWNER, people.listing),
    Entry("POST", "/operators", Role.OWNER, people.add),
    Entry("POST", "/operators/{number}/role", Role.OWNER, people.change_role),
    Entry("POST", "/operators/{number}/disable", Role.OWNER, people.disable),
    Entry("POST", "/operators/{number}/enable", Role.OWNER, people.enable),
    Entry("POST", "/operators/{number}/link", Role.OWNER, people.make_link),
)
"""In front of the door there are only the ways in: the sign-in form, and links that sign in once."""


def include(app: FastAPI) -> None:
    """Put the admin pages into the app."""
    app.state.board, app.state.attempts = dashboard.Board(), sign_in.Attempts()
    app.router.routes += [
        Route("/admin/sign-in", sign_in.form, methods=["GET"]),
        Route("/admin/sign-in", sign_in.sign_in, methods=["POST"]),
        Route("/s/{token}", sign_in.link, methods=["GET"]),
        Route("/s/{token}", sign_in.use_link, methods=["POST"]),
        *(Route(f"/admin{one.path}", behind(one.role, one.page), methods=[one.method]) for one in ENTRIES),
    ]
