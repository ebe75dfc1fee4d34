"""What the viewer makes of a mail: frames in which nothing runs, links, sizes."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

from dispatcher.web.viewer import panes
from dispatcher.web.viewer.frame import HERE, framed, policy
from dispatcher.web.viewer.mail import Mail, read
from dispatcher.web.viewer.panes import View

PAGE = (
    '<html><head><style>@media (prefers-color-scheme: dark){p{color:#fff}}</style></head><body><img src="cid:one@x">'
    '<a href="https://news.example/?a=1&amp;b=2">A <b>bridge</b></a> <a href="javascript:alert(1)"><img alt="Logo"></a>'
    "</body></html>"
)


def mail(html: str = PAGE) -> Mail:
    message = EmailMessage()
    message["Subject"] = "<b>News</b>"
    message.set_content("Plain")
    message.add_alternative(html, subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<one@x>")
    return read(message.as_bytes(), number=1, recipient="ada@reader.example", at=datetime(2026, 3, 2, tzinfo=UTC))


def test_a_frame_is_dark_or_light_whatever_the_machine_prefers() -> None:
    light, dark = framed(mail()), framed(mail(), dark=True)
    assert "@media (max-width:0)" in light
    assert "@media (min-width:0)" in dark
    assert "color-scheme:dark!important" in dark


def test_pictures_that_came_with_a_mail_are_shown() -> None:
    assert 'src="data:image/png;base64,iVBORw=="' in framed(mail())


def test_nothing_runs_in_a_frame_and_pictures_can_be_switched_off() -> None:
    for rules in (policy(), policy(HERE), policy(shows_pictures=False)):
        assert "default-src 'none'" in rules
        assert "allow-scripts" not in rules
        assert "script-src" not in rules
    assert "img-src 'none'" in policy(shows_pictures=False)
    assert "img-src http://127.0.0.1:* data:;" in policy(HERE)


def test_links_are_listed_with_their_words_and_only_the_webs_can_be_followed() -> None:
    assert mail().links == [("https://news.example/?a=1&b=2", "A bridge"), ("javascript:alert(1)", "Logo")]
    shown = panes.content(mail(), View.LINKS, str)
    assert 'href="https://news.example/?a=1&amp;b=2"' in shown
    assert 'href="javascript' not in shown


def test_the_weight_of_a_mail_is_told_and_that_gmail_would_cut_it() -> None:
    assert "% of what Gmail shows" in panes.weight(mail())
    assert "Gmail cuts it off" in panes.weight(mail("<p>" + "x" * panes.GMAIL_LIMIT + "</p>"))


def test_side_by_side_there_are_five_ways_to_look_at_a_mail() -> None:
    shown = panes.content(mail(), View.ALL, lambda view: f"/body?view={view}&x=1")
    assert shown.count("<iframe") == 4
    assert shown.count('sandbox="allow-popups allow-popups-to-escape-sandbox"') == 4
    assert shown.count("<figure") == 5
    assert "&amp;x=1" in shown
