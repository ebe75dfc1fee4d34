"""The topic index on disk: believed only when it is whole, and never instead of what the database says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders import atom, settings, topic, world

from dispatcher.pipeline import index_file, matching
from dispatcher.pipeline.index_file import build, read, write
from dispatcher.pipeline.ingest import ingest
from dispatcher.text.document import analyse
from dispatcher.topics.index import Index

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
QUERIES = {
    1: ("wind", "en"),
    2: ('"wind power" -coal', "en"),
    3: ("wind (sun OR (coal gas) OR (price -oil))", "en"),
    4: ("ener*", "de"),
    5: ('"wind price"~3 tag:energy', "en"),
    6: ("東京", "ja"),
    7: ("source:jour* lang:en", ""),
    8: ("wind-ener*", ""),
    9: ("(broken", ""),
}
ARTICLES = [
    analyse(title="Wind power in 東京", summary="Energie", body="The winds of price", tags=["Energy"], language="en"),
    analyse(title="Sun and wind-energy", summary="", body="", sources=["Journal"], language="en"),
]


def answers(index: Index | None) -> list[list[tuple[int, float]]]:
    assert index is not None
    return [[(hit.query_id, hit.score) for hit in index.match(article)] for article in ARTICLES]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "news.db-topics"


def test_an_index_comes_back_from_its_file(path: Path) -> None:
    index = build(QUERIES, None)
    write(path, index)
    again = read(path)
    assert answers(again) == answers(index)
    assert [len(hits) for hits in answers(index)] == [6, 5]
    assert again is not None
    again.add(10, "sun price", "en")
    again.add(1, "coal", "en")
    again.remove(2)
    changed = {**QUERIES, 1: ("coal", "en"), 10: ("sun price", "en")}
    del changed[2]
    assert answers(again) == answers(build(changed, None))


def test_a_file_that_is_torn_anywhere_is_not_believed(path: Path) -> None:
    write(path, build(QUERIES, None))
    whole = path.read_bytes()
    for length in (0, 1, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert read(path) is None
    for at in (0, 35, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert read(path) is None
    path.unlink()
    assert read(path) is None


def test_a_file_of_another_analyser_is_not_believed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, build(QUERIES, None))
    monkeypatch.setattr("dispatcher.topics.snapshot.FORMAT", 0)
    assert read(path) is None


def test_what_the_database_says_counts_and_the_file_is_renewed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "WORTHWHILE", 1)
    write(path, build({**QUERIES, 1: ("coal", "en"), 77: ("wind", "en")}, None))
    now = {**QUERIES, 11: ("sun", "en"), 12: ("oil", "en")}
    assert answers(build(now, path)) == answers(build(now, None))
    assert answers(read(path)) == answers(build(now, None))
    before = path.stat().st_mtime_ns
    build(now, path)
    assert path.stat().st_mtime_ns == before


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    index = build(QUERIES, tmp_path / "no such folder" / "file")
    write(tmp_path / "no such folder" / "file", index)
    (tmp_path / "taken").mkdir()
    write(tmp_path / "taken", index)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert read(tmp_path / "taken") is None


async def test_a_cold_start_with_many_topics_uses_and_renews_the_file(
    tmp_path: Path, furnished_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (index_file, matching):
        monkeypatch.setattr(module, "WORTHWHILE", 1)
    feed = tmp_path / "feed.xml"
    followed = [topic("wind", "wind"), topic("power", '"wind power"'), topic("all", "*"), topic("coal", "coal")]
    chosen = settings(
        tmp_path, furnished_url, topics=followed, sources=[{"name": "Journal", "url": feed.as_uri()}]
    )  # fmt: skip
    stories = [("1", "Wind power grows", NOW), ("2", "Coal is dear", NOW), ("3", "Wind and coal", NOW)]
    for number, expected in enumerate((3, 2, 3)):
        atom(feed, *stories[: number + 1])
        async with world(chosen, NOW) as ctx:
            assert (await ingest(ctx, NOW, everything=True)).matches == expected
            assert len(ctx.index) == len(ctx.queries) == len(followed)
            if ctx.store.path:
                held = read(Path(f"{ctx.store.path}-topics"))
                assert held is not None
                assert held.slots.keys() == ctx.queries.keys()


async def test_a_start_finds_the_index_where_the_settings_say(
    tmp_path: Path, furnished_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (index_file, matching):
        monkeypatch.setattr(module, "WORTHWHILE", 1)
    feed, named = atom(tmp_path / "feed.xml", ("1", "Wind power grows", NOW)), tmp_path / "kept" / "topics"
    named.parent.mkdir()
    chosen = settings(
        tmp_path, furnished_url, topics=[topic("wind", "wind"), topic("power", "power"), topic("coal", "coal")],
        sources=[{"name": "Journal", "url": feed.as_uri()}], ingest={"index_file": "kept/topics"},
    )  # fmt: skip
    async with world(chosen, NOW) as ctx:
        await ingest(ctx, NOW, everything=True)
    written = named.stat().st_mtime_ns
    assert not list(tmp_path.glob("*-topics"))
    monkeypatch.setattr(Index, "add", None)  # the second start parses no query
    async with world(chosen, NOW) as ctx:
        atom(feed, ("2", "Wind and coal", NOW))
        assert (await ingest(ctx, NOW, everything=True)).matches == 2
    assert named.stat().st_mtime_ns == written


async def test_compaction_happens_beside_the_ingest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = tmp_path / "feed.xml"
    followed = [topic(f"t{number}", f"word{number} OR wind") for number in range(20)]
    chosen = settings(tmp_path, topics=followed, sources=[{"name": "Journal", "url": feed.as_uri()}])
    atom(feed, ("1", "Wind power grows", NOW))
    async with world(chosen, NOW) as ctx:
        await ingest(ctx, NOW, everything=True)
        assert len(ctx.index.postings.choices) == 0
        monkeypatch.setattr(Index, "is_due", True)
        atom(feed, ("2", "More wind", NOW))
        assert (await ingest(ctx, NOW, everything=True)).matches == 20
        assert len(ctx.index.postings.choices) == 40
