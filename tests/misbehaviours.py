"""What servers do wrong, as data: each row with what becomes of five messages on one line, in each way of speaking.

`does` is what happens to the second of the five at some moments, once each: at BANNER, EHLO and QUIT it is the first
that comes, BETWEEN is when two messages have been answered and nothing is under way. `plain` is what becomes of the
five where commands wait for each other, `pipelined` and `chunked` where they do not and those behind may be gone as
well: A(ccepted), D(eferred), R(ejected), U(ncertain). `then` is how the relay is spoken to afterwards in each of the
three cases: s(top and wait), p(ipelined), c(hunked).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raw_smtp import Also, Drip, Raw, Reset, Saying
from smtp_server import Act, Moment, Script, Then


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """See the module.

    `offers` take the place of SIZE, `server` are further settings. A `liar` says of a message what is not so, and
    whoever believes it cannot be blamed.
    """

    does: Mapping[str, Any]
    plain: str
    pipelined: str
    chunked: str
    then: str
    offers: tuple[str, ...] = ()
    server: Mapping[str, Any] = field(default_factory=dict)
    liar: bool = False

    @property
    def name(self) -> str:
        """A line for the test's id."""
        told = (*self.does.items(), *self.server.items(), *(("offers", offer) for offer in self.offers))
        return ", ".join(f"{moment}: {str(answer)[:50]}" for moment, answer in told)

    @property
    def is_silent(self) -> bool:
        """Whether it takes patience, and the end of it."""
        return any(word in self.name for word in ("SILENCE", "Drip(octets=b'250-", "forgetful"))

    def script(self) -> Script:
        """A fresh one."""
        left, mails = dict(self.does), 0

        def script(moment: Moment) -> Any:
            nonlocal mails
            command = moment.command
            mails += command == "MAIL"
            if mails + (command == "RSET") < 2 and command not in ("BANNER", "EHLO", "QUIT"):
                return None
            return left.pop("DATA" if command == "BDAT" and "BDAT" not in self.does else command, None)

        return script


CUT = Raw(b"25", then=Act.DISCONNECT)
CLOSING = Then("421 4.3.2 closing", Act.DISCONNECT)
JOINED = Raw(b"250-this reply has lost its end\r\n354 and here is another\r\n")
TWO_LINES = "550-5.1.1 no such user\r\n550 5.1.1 really"
MIXED = Raw(b"250-2.1.0 fine\r\n550 5.1.0 or not\r\n")
ENDLESS_LINE = Raw(b"250-" + b"x" * 9000 + b"\r\n")
ENDLESS = Raw(b"250-and so on\r\n" * 3000)
NO_END = Raw(b"250 ok\r", then=Act.SILENCE)
BARE_LF = Saying(b"250 ok\n")
BARE_CODE = Saying(b"250\r\n")
BINARY = Saying(b"250 \x00\x01\xff\xfe ok\r\n")
EIGHT_BIT = Saying("250 наверно\r\n".encode("koi8-r"))
NO_CODE = Raw(b"ok\r\n")
EMPTY = Raw(b"\r\n")
FOUR_DIGITS = Raw(b"2500 ok\r\n")
SLOW_DRIP = Drip(b"250 ok\r\n", 0.005)
ENDLESS_DRIP = Drip(b"250-" + b"x" * 400, 0.02)
KEPT_AND_CLOSED = Raw(b"250 2.0.0 kept\r\n", then=Act.DISCONNECT, keep=True)
KEPT_AND_RESET = Raw(b"250 2.0.0 kept\r\n", then=Reset(), keep=True)
KEPT_THRICE = Raw(b"250 2.0.0 kept\r\n" * 3, keep=True)
KEPT_UNSAID = Raw(b"", then=Reset(), keep=True)
KEPT_HALF_SAID = Raw(b"250-2.0.0 kept\r\n", then=Act.DISCONNECT, keep=True)

CATALOGUE = [
    Misbehaviour({"BANNER": "421 4.3.2 busy"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": "554 5.7.1 go away"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": "450 later"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": Act.DISCONNECT}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": Reset()}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": Act.GARBAGE}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": Act.SILENCE}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": CUT}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": Also("250 again")}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"BANNER": "250 ok"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": "354 go"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": MIXED}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": NO_END}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"BANNER": ENDLESS_LINE}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": "421 4.3.2 busy"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": "554 5.7.1 go away"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": "450 later"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": Act.DISCONNECT}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": Reset()}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": Act.GARBAGE}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": Act.SILENCE}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": CUT}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": Also("250 again")}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"EHLO": "354 go"}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": MIXED}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": ENDLESS}, "DDDDD", "DDDDD", "DDDDD", "spc"),
    Misbehaviour({"EHLO": "250 raw.test"}, "AAAAA", "AAAAA", "AAAAA", "sss"),
    Misbehaviour({"MAIL": "451 4.3.0 later"}, "ADAAA", "ADAAA", "ADAAA", "spc"),
    Misbehaviour({"MAIL": "550 5.7.1 no"}, "ARAAA", "ARAAA", "ARAAA", "spc"),
    Misbehaviour({"MAIL": "421 4.3.2 closing"}, "AAAAA", "AAAAA", "AAUUU", "spp"),
    Misbehaviour({"MAIL": CLOSING}, "AAAAA", "AAAAA", "AAUUU", "spp"),
    Misbehaviour({"MAIL": Act.DISCONNECT}, "AAAAA", "AAAAA", "AUUUU", "spp"),
    Misbehaviour({"MAIL": Reset()}, "AAAAA", "AAAAA", "AUUUU", "spp"),
    Misbehaviour({"MAIL": CUT}, "AAAAA", "AAAAA", "AUUUU", "spp"),
    Misbehaviour({"MAIL": Act.GARBAGE}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": EMPTY}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": FOUR_DIGITS}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": MIXED}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": JOINED}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": ENDLESS_LINE}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": NO_END}, "AAAAA", "AAAAA", "AUUUU", "ssp"),
    Misbehaviour({"MAIL": BARE_LF}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"MAIL": BARE_CODE}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"MAIL": BINARY}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"MAIL": EIGHT_BIT}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"MAIL": "354 go"}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": "600 what"}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": Act.SILENCE}, "AAAAA", "AAAAA", "AUUUU", "ssp"),
    Misbehaviour({"MAIL": ENDLESS_DRIP}, "AAAAA", "AAAAA", "AUUUU", "ssp"),
    Misbehaviour({"MAIL": SLOW_DRIP}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"MAIL": Also("250 again")}, "ADAAA", "ADAAA", "AAAAA", "sss"),
    Misbehaviour({"MAIL": Also("550 5.7.1 no after all")}, "ADAAA", "ARAAA", "AUAAA", "sss"),
    Misbehaviour({"MAIL": TWO_LINES}, "ARAAA", "ARAAA", "ARAAA", "spc"),
    Misbehaviour({"MAIL": NO_CODE}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"MAIL": "503 5.5.1 bad sequence"}, "ARAAA", "AAAAA", "AAAAA", "ssp"),
    Misbehaviour({"MAIL": "555 5.5.4 SIZE? never heard of it"}, "ARAAA", "AAAAA", "AAAAA", "ssp"),
    Misbehaviour({"RCPT": "451 4.3.0 later"}, "ADAAA", "ADAAA", "ADAAA", "spc"),
    Misbehaviour({"RCPT": "550 5.7.1 no"}, "ARAAA", "ARAAA", "ARAAA", "spc"),
    Misbehaviour({"RCPT": "421 4.3.2 closing"}, "ADAAA", "ADAAA", "ADUUU", "spp"),
    Misbehaviour({"RCPT": CLOSING}, "ADAAA", "ADAAA", "ADUUU", "spp"),
    Misbehaviour({"RCPT": Act.DISCONNECT}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"RCPT": Reset()}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"RCPT": CUT}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"RCPT": Act.GARBAGE}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": EMPTY}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": FOUR_DIGITS}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": MIXED}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": JOINED}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": ENDLESS_LINE}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": NO_END}, "ADAAA", "ADAAA", "AUUUU", "ssp"),
    Misbehaviour({"RCPT": BARE_LF}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"RCPT": BARE_CODE}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"RCPT": BINARY}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"RCPT": EIGHT_BIT}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"RCPT": "354 go"}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": "600 what"}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": Act.SILENCE}, "ADAAA", "ADAAA", "AUUUU", "ssp"),
    Misbehaviour({"RCPT": ENDLESS_DRIP}, "ADAAA", "ADAAA", "AUUUU", "ssp"),
    Misbehaviour({"RCPT": SLOW_DRIP}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"RCPT": Also("250 again")}, "ADAAA", "ADAAA", "AAAAA", "sss"),
    Misbehaviour({"RCPT": Also("550 5.7.1 no after all")}, "ADAAA", "ARAAA", "ARAAA", "sss", liar=True),
    Misbehaviour({"RCPT": TWO_LINES}, "ARAAA", "ARAAA", "ARAAA", "spc"),
    Misbehaviour({"RCPT": ENDLESS}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": "250 ok"}, "ARAAA", "ARAAA", "AAAAA", "spp"),
    Misbehaviour({"RCPT": "452 4.5.3 too many"}, "ADAAA", "ADAAA", "ADAAA", "spc"),
    Misbehaviour({"RCPT": "552 too many recipients"}, "ADAAA", "ADAAA", "ADAAA", "spc"),
    Misbehaviour({"RCPT": "502 5.5.1 what?"}, "ARAAA", "AAAAA", "AAAAA", "ssp"),
    Misbehaviour({"RCPT": "554 5.5.0 SMTP synchronization error"}, "ARAAA", "AAAAA", "AAAAA", "ssp"),
    Misbehaviour({"DATA": "451 4.3.0 later"}, "ADAAA", "ADAAA", "ADAAA", "spc"),
    Misbehaviour({"DATA": "550 5.7.1 no"}, "ARAAA", "ARAAA", "ARAAA", "spc"),
    Misbehaviour({"DATA": "421 4.3.2 closing"}, "ADAAA", "ADAAA", "ADUUU", "spp"),
    Misbehaviour({"DATA": CLOSING}, "ADAAA", "ADAAA", "ADUUU", "spp"),
    Misbehaviour({"DATA": Act.DISCONNECT}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"DATA": Reset()}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"DATA": CUT}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"DATA": Act.GARBAGE}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": EMPTY}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": FOUR_DIGITS}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": MIXED}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": JOINED}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": ENDLESS_LINE}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": NO_END}, "ADAAA", "ADAAA", "AUUUU", "ssp"),
    Misbehaviour({"DATA": BARE_LF}, "ADAAA", "ADAAA", "AAAAA", "ssc"),
    Misbehaviour({"DATA": BARE_CODE}, "ADAAA", "ADAAA", "AAAAA", "ssc"),
    Misbehaviour({"DATA": BINARY}, "ADAAA", "ADAAA", "AAAAA", "ssc"),
    Misbehaviour({"DATA": EIGHT_BIT}, "ADAAA", "ADAAA", "AAAAA", "ssc"),
    Misbehaviour({"DATA": "354 go"}, "ARAAA", "ARAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": "600 what"}, "ADAAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({"DATA": Act.SILENCE}, "ADAAA", "ADAAA", "AUUUU", "ssp"),
    Misbehaviour({"DATA": ENDLESS_DRIP}, "ADAAA", "ADAAA", "AUUUU", "ssp"),
    Misbehaviour({"DATA": SLOW_DRIP}, "ADAAA", "ADAAA", "AAAAA", "ssc"),
    Misbehaviour({"DATA": Also("250 again")}, "ADAAA", "ADAAA", "AAAAA", "sss"),
    Misbehaviour({"DATA": Also("550 5.7.1 no after all")}, "ARAAA", "ARAAA", "AAAAA", "sps"),
    Misbehaviour({"DATA": "250 ok"}, "ADAAA", "ADAAA", "AAAAA", "ssc", liar=True),
    Misbehaviour({"DATA": "503 5.5.0 improper use of SMTP command pipelining"}, "ARAAA", "AAAAA", "AAAAA", "ssp"),
    Misbehaviour({"DATA": "500 5.5.1 what?"}, "ARAAA", "AAAAA", "AAAAA", "ssp"),
    Misbehaviour({"CONTENT": "451 4.3.0 later"}, "ADAAA", "ADAAA", "ADAAA", "spc"),
    Misbehaviour({"CONTENT": "550 5.7.1 no"}, "ARAAA", "ARAAA", "ARAAA", "spc"),
    Misbehaviour({"CONTENT": "421 4.3.2 closing"}, "ADAAA", "ADAAA", "ADUUU", "spp"),
    Misbehaviour({"CONTENT": CLOSING}, "ADAAA", "ADAAA", "ADUUU", "spp"),
    Misbehaviour({"CONTENT": Act.DISCONNECT}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": Reset()}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": CUT}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": Act.GARBAGE}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": EMPTY}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": FOUR_DIGITS}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": MIXED}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": JOINED}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": ENDLESS_LINE}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": NO_END}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": BARE_LF}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"CONTENT": BARE_CODE}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"CONTENT": BINARY}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"CONTENT": EIGHT_BIT}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"CONTENT": "354 go"}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": "600 what"}, "AUAAA", "AUAAA", "AUUUU", "sss"),
    Misbehaviour({"CONTENT": Act.SILENCE}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": ENDLESS_DRIP}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": SLOW_DRIP}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"CONTENT": Also("250 again")}, "AAAAA", "AADAA", "AAAAA", "sss"),
    Misbehaviour({"CONTENT": Also("550 5.7.1 no after all")}, "AAAAA", "AARAA", "AAAAA", "sss"),
    Misbehaviour({"CONTENT": TWO_LINES}, "ARAAA", "ARAAA", "ARAAA", "spc"),
    Misbehaviour({"CONTENT": "250 ok"}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"CONTENT": "503 5.5.1 what?"}, "ARAAA", "ARAAA", "AAAAA", "spp"),
    Misbehaviour({"CONTENT": Act.KEEP_AND_DISCONNECT}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": KEPT_AND_CLOSED}, "AAAAA", "AAAAA", "AAUUU", "spp"),
    Misbehaviour({"CONTENT": KEPT_AND_RESET}, "AAAAA", "AAAAA", "AAUUU", "spp"),
    Misbehaviour({"CONTENT": KEPT_THRICE}, "AAAAA", "AADAA", "AAAAA", "sss"),
    Misbehaviour({"CONTENT": KEPT_UNSAID}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"CONTENT": KEPT_HALF_SAID}, "AUAAA", "AUAAA", "AUUUU", "spp"),
    Misbehaviour({"RCPT": "450 4.2.1 later", "RSET": "502 5.5.1 what?"}, "ADAAA", "ADAAA", "ADAAA", "sss"),
    Misbehaviour({"RCPT": "450 4.2.1 later", "RSET": "421 4.3.2 closing"}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"RCPT": "450 4.2.1 later", "RSET": Act.DISCONNECT}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"RCPT": "450 4.2.1 later", "RSET": Reset()}, "ADAAA", "ADAAA", "AUUUU", "spp"),
    Misbehaviour({"RCPT": "450 4.2.1 later", "RSET": Act.SILENCE}, "ADAAA", "ADAAA", "AUUUU", "ssp"),
    Misbehaviour({"RCPT": "450 4.2.1 later", "RSET": Act.GARBAGE}, "ADDAA", "ADDAA", "AUUUU", "sss"),
    Misbehaviour({"RCPT": "450 4.2.1 later", "RSET": Also("250 again")}, "ADDAA", "ADDAA", "ADAAA", "sss"),
    Misbehaviour({"BETWEEN": b"250 by the way\r\n"}, "AAAAA", "AAAAA", "AAAAA", "sss"),
    Misbehaviour({"BETWEEN": b"421 4.4.2 idle for too long\r\n"}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"BETWEEN": b"\x00\xff\x00"}, "AADAA", "AADAA", "AAUUU", "sss"),
    Misbehaviour({"BETWEEN": b"\r\n"}, "AAAAA", "AAAAA", "AAAAA", "sss"),
    Misbehaviour({"BETWEEN": b"25"}, "AADAA", "AADAA", "AAUUU", "sss"),
    Misbehaviour({"BETWEEN": Act.DISCONNECT}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"BETWEEN": Reset()}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"QUIT": Act.SILENCE}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"QUIT": Act.GARBAGE}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"QUIT": Act.DISCONNECT}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"QUIT": Reset()}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"QUIT": "500 5.5.1 what?"}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"QUIT": Also("250 again")}, "AAAAA", "AAAAA", "AAAAA", "spc"),
    Misbehaviour({"RCPT": "550 5.1.1 no"}, "ARAAA", "ARAAA", "ARAAA", "spc", server={"always_goes_ahead": True}),
    Misbehaviour(
        {"RCPT": "550 5.1.1 no", "CONTENT": "250 2.0.0 taken"},
        "ARAAA",
        "ARAAA",
        "ARAAA",
        "spc",
        server={"always_goes_ahead": True},
    ),
    Misbehaviour({"RCPT": "550 5.1.1 no", "BDAT": "250 2.0.0 taken"}, "ARAAA", "ARAAA", "AUAAA", "sps"),
    Misbehaviour({"MAIL": "451 4.3.0 later", "RCPT": "250 fine", "DATA": "354 go"}, "ADRAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour(
        {"MAIL": "451 4.3.0 later", "RCPT": "250 fine", "BDAT": "250 2.0.0 taken"}, "ADRAA", "ADAAA", "AUAAA", "sss"
    ),
    Misbehaviour(
        {"MAIL": "451 4.3.0 later", "RCPT": "451 4.3.0 later", "DATA": Act.DISCONNECT}, "ADDDA", "ADAAA", "ADUUU", "spp"
    ),
    Misbehaviour({"RCPT": "354 go", "DATA": "250 2.1.5 ok"}, "ADDAA", "ADAAA", "AUUUU", "sss"),
    Misbehaviour({}, "AAAAA", "DAAAA", "DDAAA", "sss", server={"forgetful": True}),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "sps", server={"unknown": ("BDAT",)}),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "sps", server={"unknown": ("RSET",)}),
    Misbehaviour({}, "RRRRR", "RRRRR", "RRRRR", "sss", server={"unknown": ("DATA", "BDAT")}),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("SIZE",)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("SIZE 0",)),
    Misbehaviour({}, "RRRRR", "RRRRR", "RRRRR", "sss", offers=("SIZE 1",)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("SIZE -1",)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("SIZE much",)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("SIZE " + "9" * 30,)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("SIZE " + "9" * 5000,)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("SIZE=100",)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "spc", offers=("\x01\x02 \x7f",)),
    Misbehaviour({}, "AAAAA", "AAAAA", "AAAAA", "ppc", offers=("PIPELINING CHUNKING",)),
]
