"""The big mailbox providers, at whose domains every address is another person's."""

from __future__ import annotations

PROVIDERS = frozenset({
    "126.com", "163.com", "1und1.de", "a1.net", "alice.it", "aol.com", "arcor.de", "att.net", "bbox.fr", "bell.net",
    "bellsouth.net", "bigpond.com", "bk.ru", "bluewin.ch", "bol.com.br", "btinternet.com", "centrum.cz", "charter.net",
    "chello.at", "comcast.net", "cox.net", "daum.net", "docomo.ne.jp", "email.com", "ezweb.ne.jp", "fastmail.com",
    "foxmail.com", "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net",
    "googlemail.com", "hanmail.net", "hispeed.ch", "home.nl", "hotmail.be", "hotmail.co.uk", "hotmail.com",
    "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it", "hotmail.nl", "hotmail.se", "icloud.com", "inbox.ru",
    "interia.pl", "kpnmail.nl", "laposte.net", "libero.it", "list.ru", "live.be", "live.ca", "live.co.uk", "live.com",
    "live.com.mx", "live.de", "live.fr", "live.it", "live.nl", "mac.com", "mail.com", "mail.ru", "mailbox.org",
    "me.com", "msn.com", "naver.com", "neuf.fr", "ntlworld.com", "o2.pl", "onet.pl", "online.no", "optusnet.com.au",
    "orange.fr", "outlook.com", "outlook.de", "outlook.es", "outlook.fr", "outlook.it", "passport.com", "planet.nl",
    "pm.me", "posteo.de", "proton.me", "protonmail.com", "qq.com", "rambler.ru", "rediffmail.com", "rocketmail.com",
    "rogers.com", "sbcglobal.net", "seznam.cz", "sfr.fr", "shaw.ca", "sina.com", "sky.com", "skynet.be",
    "softbank.ne.jp", "sunrise.ch", "t-online.de", "talktalk.net", "tele2.se", "telefonica.net", "telenet.be",
    "telia.com", "terra.com.br", "tin.it", "tiscali.it", "ukr.net", "uol.com.br", "verizon.net", "virgilio.it",
    "virginmedia.com", "wanadoo.fr", "web.de", "wp.pl", "xs4all.nl", "xtra.co.nz", "ya.ru", "yahoo.ca", "yahoo.co.in",
    "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.com.mx", "yahoo.de", "yahoo.es", "yahoo.fr",
    "yahoo.in", "yahoo.it", "yandex.ru", "yeah.net", "ymail.com", "ziggo.nl", "zoho.com",
})  # fmt: skip
"""A domain that is not here may be one person's, who gets whatever is sent to any address of it."""
