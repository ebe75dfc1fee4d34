"""Names, titles and addresses in every script that people write: a message stays whole, and says what it was given."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_message_standards import ENCODED_WORD, content, envelope, newsletter, parsed, wire_of

from dispatcher.digest.assembly import assemble
from dispatcher.digest.headers import one_line
from dispatcher.model.content import Story
from dispatcher.model.values import DeliveryKind

SCRIPTS = {
    "latin": "aáâåæßçđéğıłñøőšþüýžAÅÇÉÑØÜŸ’–",
    "greek": "αβγδέζηθίκλμνξόπρσςτύφχψώΑΒΓΔΩ",
    "cyrillic": "абвгґдеєёжзиіїйклмнопрстуўфхцчшщъыьэюяЄҐ",
    "armenian": "աբգդեզէըթժիլխծկհձղճմՀԱՅ",
    "georgian": "აბგდევზთიკლმნოპჟრსტუფქღყშ",
    "hebrew": "אבגדהוזחטיךכלםמןנסעףפץצקרשת׳״",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأؤإئةىً٠١٢،؛؟",
    "devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह्ािीुूेैोौं",
    "bengali": "অআইঈউকখগঘচছজঝটঠডঢতথদধনপফবভমযরলশষসহািীুূ",
    "tamil": "அஆஇஈஉஊஎஏகஙசஞடணதநபமயரலவழளறனாிீுூெே",
    "thai": "กขคงจฉชซญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮะาำิีึืุูเแโใไ่้๊๋",
    "ethiopic": "ሀሁሂሃሄህሆለሉሊላሌልሎሐሑሒሓሔሕ",
    "khmer": "កខគឃងចឆជឈញដឋឌឍណតថទធន្ាិីឹឺុូ",
    "han": "一二三人大天山東京都新聞報朝日市町村風車橋開通買",
    "kana": "あいうえおかがきぎぐけげこごさざしアイウエオカキクケコー。、「」",
    "hangul": "가나다라마바사아자차카타파하신문서울한국어",
    "beyond the plane": "𐍈𐌰𐌱𝔄𝔅𠀀𠀁𡃁🌍🧑‍🚀👩🏽‍🌾🇺🇦",
}
IDNS = ("bücher.example", "παράδειγμα.example", "пример.example", "例え.example", "مثال.example", "ड़ाक.example")
LOCALES = st.sampled_from(["en", "de", "pl", "uk", "ar"])

scripts = pytest.mark.parametrize("script", SCRIPTS)


def words(script: str) -> st.SearchStrategy[str]:
    """Words of one script, with what stands between words."""
    return st.text(SCRIPTS[script] + "  .-'\"&<", min_size=1, max_size=90).filter(lambda text: one_line(text) != "")


@scripts
@settings(max_examples=8)
@given(data=st.data())
def test_names_and_titles_of_a_script_arrive_as_they_were_written(script: str, data: st.DataObject) -> None:
    title, name, paper = (data.draw(words(script)) for _ in range(3))
    kind, locale = data.draw(st.sampled_from([DeliveryKind.DIGEST, DeliveryKind.ALERT])), data.draw(LOCALES)
    made = content(Story(title, "https://gazette.example/1", title, paper), kind=kind, locale=locale)
    raw = assemble(wire_of(made, newsletter(name=one_line(paper))), envelope(name=name))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert raw.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert max([len(line) for line in head.split(b"\r\n") if len(line.split()) > 2]) <= 78
    assert max(map(len, ENCODED_WORD.findall(head)), default=0) <= 75
    assert not any(line.startswith(b".") for line in raw.split(b"\r\n"))
    found = parsed(raw)
    assert not [defect for part in found.walk() for defect in part.defects]
    assert "".join(str(found["Subject"]).split()) == "".join(title.split())
    assert "".join(found["To"].addresses[0].display_name.split()) == "".join(one_line(name).split())
    for part in ("plain", "html"):
        shown = found.get_body((part,))
        assert shown is not None
        assert _letters(title) in _letters(shown.get_content())


@given(st.sampled_from(IDNS), st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True))
def test_a_domain_of_any_script_travels_as_its_a_labels(domain: str, local: str) -> None:
    head = assemble(wire_of(content()), envelope(f"{local}@{domain}")).partition(b"\r\n\r\n")[0]
    found = re.search(rb"^To: .*?<([^>]+)>", head, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert found[1].isascii()
    assert found[1].decode().startswith(f"{local}@xn--")


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", re.sub(r"&\w+;|&#\d+;", "", text))
