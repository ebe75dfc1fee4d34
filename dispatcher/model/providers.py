"""Providers: whose mailboxes a domain's are, so that one limit holds for all domains of a big one. Pure.

A domain of its own at a big provider is told by its mail exchanger (MX), where somebody has looked it up.
"""

from __future__ import annotations

from types import MappingProxyType

_DOMAINS = {
    "gmail": "gmail.com googlemail.com",
    "microsoft": "outlook.com hotmail.com live.com msn.com passport.com windowslive.com"
    " outlook.at outlook.be outlook.co.id outlook.cz outlook.de outlook.dk outlook.es outlook.fr outlook.ie outlook.in"
    " outlook.it outlook.jp outlook.kr outlook.pt outlook.sa outlook.com.ar outlook.com.au outlook.com.br"
    " hotmail.be hotmail.ca hotmail.ch hotmail.co.jp hotmail.co.uk hotmail.com.ar hotmail.com.br hotmail.com.mx"
    " hotmail.com.tr hotmail.de hotmail.dk hotmail.es hotmail.fi hotmail.fr hotmail.gr hotmail.it hotmail.nl"
    " hotmail.no hotmail.se live.at live.be live.ca live.cl live.cn live.co.uk live.co.za live.com.ar live.com.au"
    " live.com.mx live.com.pt live.de live.dk live.fi live.fr live.ie live.in live.it live.jp live.nl live.no live.se",
    "yahoo": "yahoo.com ymail.com rocketmail.com yahoo.at yahoo.be yahoo.ca yahoo.ch yahoo.co.id yahoo.co.in"
    " yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.hk"
    " yahoo.com.mx yahoo.com.my yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn yahoo.cz yahoo.de"
    " yahoo.dk yahoo.es yahoo.fi yahoo.fr yahoo.gr yahoo.hu yahoo.ie yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl"
    " yahoo.pt yahoo.ro yahoo.se aol.com aol.co.uk aol.de aol.fr aol.it aim.com love.com wow.com games.com"
    " netscape.net netscape.com verizon.net att.net sbcglobal.net bellsouth.net ameritech.net flash.net nvbell.net"
    " pacbell.net prodigy.net snet.net swbell.net wans.net sky.com rogers.com",
    "yahoo-japan": "yahoo.co.jp ymail.ne.jp",
    "apple": "icloud.com me.com mac.com",
    "gmx": "gmx.at gmx.ch gmx.com gmx.co.uk gmx.de gmx.es gmx.eu gmx.fr gmx.info gmx.li gmx.net gmx.org gmx.us web.de"
    " email.de 1und1.de online.de mail.com caramail.com",
    "proton": "proton.me protonmail.com protonmail.ch pm.me",
    "orange": "orange.fr wanadoo.fr voila.fr",
    "sfr": "sfr.fr neuf.fr cegetel.net club-internet.fr numericable.fr red.fr",
    "free": "free.fr aliceadsl.fr libertysurf.fr online.fr freesbee.fr",
    "laposte": "laposte.net",
    "telekom": "t-online.de magenta.de",
    "freenet": "freenet.de",
    "italiaonline": "libero.it virgilio.it inwind.it iol.it blu.it giallo.it",
    "tim": "tim.it alice.it tin.it",
    "bt": "btinternet.com btopenworld.com talk21.com",
    "virgin": "virginmedia.com ntlworld.com virgin.net blueyonder.co.uk",
    "comcast": "comcast.net",
    "spectrum": "charter.net spectrum.net rr.com twc.com roadrunner.com brighthouse.com",
    "ziggo": "ziggo.nl home.nl chello.nl upcmail.nl casema.nl quicknet.nl",
    "kpn": "kpnmail.nl planet.nl hetnet.nl xs4all.nl kpn.nl",
    "telenet": "telenet.be",
    "proximus": "skynet.be proximus.be belgacom.net",
    "bluewin": "bluewin.ch",
    "seznam": "seznam.cz email.cz post.cz spoluzaci.cz",
    "onet": "onet.pl onet.eu op.pl poczta.onet.pl vp.pl",
    "wp": "wp.pl o2.pl tlen.pl",
    "interia": "interia.pl interia.eu poczta.fm",
    "mail-ru": "mail.ru bk.ru inbox.ru list.ru internet.ru",
    "yandex": "yandex.ru yandex.com yandex.by yandex.kz ya.ru",
    "uol": "uol.com.br bol.com.br",
    "terra": "terra.com.br terra.com",
    "tencent": "qq.com foxmail.com",
    "netease": "163.com 126.com yeah.net",
    "naver": "naver.com",
    "kakao": "daum.net hanmail.net kakao.com",
    "zoho": "zoho.com zohomail.com zoho.eu zoho.in",
    "fastmail": "fastmail.com fastmail.fm messagingengine.com sent.com",
}

_EXCHANGERS = {
    "gmail": "google.com googlemail.com",
    "microsoft": "outlook.com protection.outlook.com",
    "yahoo": "yahoodns.net",
    "yahoo-japan": "yahoo.co.jp",
    "apple": "mail.icloud.com",
    "gmx": "gmx.net web.de kundenserver.de ionos.com ionos.de ionos.co.uk ionos.fr ionos.es",
    "proton": "protonmail.ch",
    "orange": "orange.fr",
    "sfr": "sfr.fr",
    "free": "free.fr",
    "telekom": "t-online.de",
    "seznam": "seznam.cz",
    "mail-ru": "mail.ru",
    "yandex": "yandex.net yandex.ru",
    "tencent": "qq.com",
    "netease": "163.com netease.com mxmail.netease.com",
    "zoho": "zoho.com zoho.eu zoho.in",
    "fastmail": "messagingengine.com",
    "ovh": "ovh.net",
    "gandi": "gandi.net",
    "strato": "rzone.de",
    "mimecast": "mimecast.com",
    "proofpoint": "pphosted.com ppe-hosted.com",
    "barracuda": "barracudanetworks.com",
}

BY_DOMAIN = MappingProxyType({domain: name for name, domains in _DOMAINS.items() for domain in domains.split()})
BY_EXCHANGER = MappingProxyType({suffix: name for name, suffixes in _EXCHANGERS.items() for suffix in suffixes.split()})
NAMES = tuple(sorted({*_DOMAINS, *_EXCHANGERS}))
"""What a limit may name, beside domains."""


def domain_of(address: str) -> str:
    """The part that says where a mailbox is, in small letters."""
    return address.rpartition("@")[2].lower()


def by_exchanger(host: str) -> str | None:
    """The provider that a mail exchanger belongs to, by the longest suffix of its name that is known."""
    labels = host.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        found = BY_EXCHANGER.get(".".join(labels[start:]))
        if found is not None:
            return found
    return None
