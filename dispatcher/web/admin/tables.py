"""Tables: starlette-admin's model views, read-only, in our own templates and behind our own door.

Of starlette-admin we take what a list is (columns, sorting, searching, paging), and of its routes the two that only
read. Its pages want inline scripts and styles, which our policy forbids: ours need neither. See decision 0008.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache, partial
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.base import BaseAdmin
from starlette_admin.contrib.sqla import ModelView
from starlette_admin.fields import StringField

from dispatcher.model.access import Audit
from dispatcher.model.audience import Subscriber
from dispatcher.model.content import Article, Source, Topic
from dispatcher.model.feedback import Suppression
from dispatcher.model.outbound import Delivery
from dispatcher.model.values import DeliveryStatus, SubscriberStatus
from dispatcher.pipeline.entries import address
from dispatcher.store import desk
from dispatcher.store.engine import table
from dispatcher.store.keys import address_hash
from dispatcher.web.admin.desk import desk_page, known_or_404, plain, row_number
from dispatcher.web.admin.sessions import Signed
from dispatcher.web.asking import context_of
from dispatcher.web.pages import at

SOURCE, ARTICLE, TOPIC, SUPPRESSION = table(Source), table(Article), table(Topic), table(Suppression)
SUBSCRIBER, DELIVERY = table(Subscriber), table(Delivery)

LATEST = 5_000  # articles whose titles are searched


class Table(ModelView):
    """One table. Sorting and searching are offered where an index answers them, and nowhere else."""

    columns: Sequence[str] = ()
    label = ""
    hint = "A number"
    statuses: Sequence[str] = ()
    deeds = ""
    page_size = 50
    page_size_options = (50,)
    actions = ()
    row_actions = ()
    exporters = ()
    importers = ()
    searchable_fields = ()
    fields_default_sort = (("id", True),)

    def __init__(self, model: type[Any]) -> None:
        names = [column.name for column in model.__table__.columns]
        self.fields = [StringField(name, label=name.replace("_", " ")) for name in names]
        self.exclude_fields_from_list = [name for name in names if name not in self.columns]
        super().__init__(model, key=self.label.lower(), display_name=model.__name__, menu_label=self.label)

    def can_create(self, request: Request) -> bool:
        """Nobody does."""
        return False

    can_edit = can_delete = can_create

    def page_of(self, row: dict[str, Any]) -> str:
        """The page where something can be done about a row, if there is one."""
        return f"{self.deeds}/{row['id']}" if self.deeds else ""

    def search(self, request: Request, text: str) -> sa.ColumnElement[bool]:
        """What is looked for by what was typed: the row with this number, where there is nothing better."""
        number = row_number(text)
        return sa.false() if number is None else table(self.model).c.id == number

    def status(self, request: Request) -> str:
        """The status that was chosen, or nothing."""
        chosen = request.query_params.get("status", "")
        return chosen if chosen in self.statuses else ""

    def get_list_query(self, request: Request) -> sa.Select[Any]:
        """Every row, or those of a status."""
        chosen, column = self.status(request), table(self.model).c.get("status")
        if not chosen or column is None:
            return sa.select(self.model)
        # What is searched for finds fewer rows than a status does: keep the planner from the status's index.
        is_it = sa.func.coalesce(column, "") == chosen if request.query_params.get("q") else column == chosen
        return sa.select(self.model).where(is_it)

    async def build_full_text_search_query(self, request: Request, term: str, model: Any) -> Any:
        """As starlette-admin asks for it."""
        return self.search(request, plain(term)[:300])

    async def count(self, request: Request, q: str | None = None, filters: Any = None) -> int:
        """How many there are, as far as we count: one more than that stands for "more"."""
        stmt = await self._apply_search_and_filters(request, self.get_list_query(request), q, None)
        found = await desk.count(await request.state.session.connection(), stmt)
        return found.number + found.is_more

    async def find_all(
        self, request: Request, skip: int = 0, limit: int = 100, q: str | None = None, sorts: Any = None,
        filters: Any = None,
    ) -> Sequence[Any]:  # fmt: skip
        """One page. What lies behind all that we count is found by searching, not by paging."""
        if skip > desk.COUNTED:
            raise HTTPException(404)
        found: Sequence[Any] = await super().find_all(request, skip, limit, q, sorts)
        return found

    async def serialize(self, obj: Any, request: Request, *args: Any, **more: Any) -> dict[str, Any]:
        """A row as it is: our templates know how to write instants and words."""
        return {"id": obj.id} | {field.name: getattr(obj, field.name) for field in self.get_fields_list(request)}


class SourceTable(Table):
    """Sources: few enough to be sorted by anything."""

    label = "Sources"
    deeds = "/admin/sources"
    columns = ("name", "url", "origin", "is_paused", "failures", "succeeded_at", "next_poll_at")
    sortable_fields = ("name", "failures", "succeeded_at", "next_poll_at")
    fields_default_sort = (("name", False),)
    hint = "Part of a name or an address"

    def search(self, request: Request, text: str) -> sa.ColumnElement[bool]:
        """Parts of names and addresses."""
        return _anywhere(text, SOURCE.c.name, SOURCE.c.url)


class ArticleTable(Table):
    """Articles by number or first sight; titles are searched among the latest."""

    label = "Articles"
    columns = ("id", "title", "source_id", "language", "published_at", "seen_at")
    sortable_fields = ("id", "seen_at")
    hint = f"Words of a title among the latest {LATEST:,}, or the beginning of a link"

    def search(self, request: Request, text: str) -> sa.ColumnElement[bool]:
        """The beginning of a link, or part of a recent title."""
        if text.startswith(("http://", "https://")):
            return desk.beginning(request.state.session.bind, ARTICLE.c.url, text)
        latest = sa.select(ARTICLE.c.id).order_by(ARTICLE.c.seen_at.desc()).limit(LATEST)
        return ARTICLE.c.id.in_(latest) & _anywhere(text, ARTICLE.c.title)


class TopicTable(Table):
    """The publisher's topics. Readers' own are nobody else's business."""

    label = "Topics"
    deeds = "/admin/topics"
    columns = ("slug", "name", "query_text", "language", "is_public", "origin", "is_paused")
    sortable_fields = ("slug", "id")
    fields_default_sort = (("slug", False),)
    hint = "Part of a name, a slug or a query"

    def get_list_query(self, request: Request) -> sa.Select[Any]:
        """Only the publisher's."""
        return sa.select(Topic).where(TOPIC.c.owner_id.is_(None))

    def search(self, request: Request, text: str) -> sa.ColumnElement[bool]:
        """Parts of names, slugs and queries."""
        return _anywhere(text, TOPIC.c.name, TOPIC.c.slug, TOPIC.c.query_text)


class SubscriberTable(Table):
    """Readers by the beginning of their address. Who was erased is gone."""

    label = "Subscribers"
    deeds = "/admin/readers"
    columns = ("id", "email", "name", "status", "cadence", "timezone", "locale", "origin", "created_at")
    sortable_fields = ("id", "email")
    statuses = tuple(SubscriberStatus)
    hint = "The beginning of an address"

    def get_list_query(self, request: Request) -> sa.Select[Any]:
        """Those who have an address still."""
        return super().get_list_query(request).where(SUBSCRIBER.c.email != "")

    def search(self, request: Request, text: str) -> sa.ColumnElement[bool]:
        """The beginning of an address."""
        return desk.beginning(request.state.session.bind, SUBSCRIBER.c.email, text.lower())

    def build_order_clauses(self, request: Request, sorts: Any, stmt: Any) -> Any:
        """Those of a status come in the order of the index that finds them."""
        return (
            stmt.order_by(SUBSCRIBER.c.id.desc())
            if self.status(request)
            else super().build_order_clauses(request, sorts, stmt)
        )


class DeliveryTable(Table):
    """Deliveries by number, reader or status."""

    label = "Deliveries"
    deeds = "/admin/deliveries"
    columns = ("id", "recipient", "kind", "status", "attempts", "due_at", "finished_at", "reason")
    sortable_fields = ("id",)
    statuses = tuple(DeliveryStatus)
    hint = "A number, or a reader's whole address"

    def search(self, request: Request, text: str) -> sa.ColumnElement[bool]:
        """One delivery by its number, or all of one reader."""
        if "@" not in text:
            return super().search(request, text)
        reader = sa.select(SUBSCRIBER.c.id).where((SUBSCRIBER.c.email == address(text)) & (SUBSCRIBER.c.email != ""))
        return DELIVERY.c.subscriber_id == reader.scalar_subquery()

    def build_order_clauses(self, request: Request, sorts: Any, stmt: Any) -> Any:
        """What is found by an index comes in its order."""
        if self.status(request):
            return stmt.order_by(DELIVERY.c.finished_at.desc(), DELIVERY.c.id.desc())
        return super().build_order_clauses(request, sorts, stmt)


class SuppressionTable(Table):
    """Suppressed addresses, by the whole address: its keyed hash is what we look for."""

    label = "Suppressions"
    columns = ("id", "address", "scope", "reason", "since")
    sortable_fields = ("id",)
    hint = "A whole address"

    def search(self, request: Request, text: str) -> sa.ColumnElement[bool]:
        """An address, whether we still know it or only its hash."""
        hashed = address_hash(context_of(request).address_key, address(text))
        return SUPPRESSION.c.address_hash == hashed


class AuditTable(Table):
    """The audit log."""

    label = "Log"
    columns = ("id", "at", "actor", "action", "subject", "ip")
    sortable_fields = ("id", "at")


def _anywhere(text: str, *columns: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """That one of these columns has the text somewhere, in whichever case."""
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))


class Tables(BaseAdmin):
    """starlette-admin without its pages: what it would render is drawn by `desk_page`."""

    def _template_response(
        self, request: Request, name: str, context: dict[str, Any] | None = None, status_code: int = 200
    ) -> Response:
        return _Drawing(request, name.removesuffix(".html"), context or {})


class _Drawing(Response):
    """A page that is yet to be drawn."""

    def __init__(self, request: Request, name: str, known: dict[str, Any]) -> None:
        super().__init__()
        self.request, self.name, self.known = request, name, known


VIEWS = (
    (SubscriberTable, Subscriber), (DeliveryTable, Delivery), (ArticleTable, Article), (SourceTable, Source),
    (TopicTable, Topic), (SuppressionTable, Suppression), (AuditTable, Audit),
)  # fmt: skip


async def first(request: Request, who: Signed) -> Response:
    """The first of the tables."""
    return RedirectResponse(at(context_of(request), f"/admin/tables/{SubscriberTable.label.lower()}"), 303)


async def listing(request: Request, who: Signed) -> Response:
    """A table."""
    return await _drawn(request, who, _admin()._render_list)


async def row(request: Request, who: Signed) -> Response:
    """A row with all that it holds."""
    known_or_404(row_number(request.query_params.get("pk", "")))
    return await _drawn(request, who, _admin()._render_detail)


async def _drawn(request: Request, who: Signed, read: Callable[[Request], Awaitable[Response]]) -> Response:
    """What starlette-admin read, in one transaction, on a page of ours."""
    async with context_of(request).store.read() as tx, AsyncSession(tx) as session:
        request.state.session = session
        made = await read(request)
    assert isinstance(made, _Drawing)
    views = [(view.key, view.label) for view in _admin()._views if isinstance(view, Table)]
    view: Table = made.known["view"]
    known = {"fields": view.get_fields_list(request), **made.known, "views": views, "counted": desk.COUNTED}
    known |= {"chosen": view.status(request), "link": partial(_link, request)}
    return await desk_page(request, who, f"table-{made.name}", **known)


def _link(request: Request, **changes: Any) -> str:
    """The address of this list with something else about it; where nothing is said of the page, its first page."""
    kept = {name: request.query_params.get(name, "") for name in ("q", "status", "sort")}
    return "?" + urlencode({name: value for name, value in {**kept, **changes}.items() if value})


@cache
def _admin() -> Tables:
    """The views. The key would sign cookies, and we take none of the routes that set any."""
    admin = Tables(title="Tables", secret_key="signs nothing", timezone_config=None)
    for view, model in VIEWS:
        admin.add_view(view(model))
    return admin
