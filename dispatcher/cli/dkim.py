"""`dkim`: keys that sign our mail, and what the DNS must say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli.options import Json
from dispatcher.cli.session import load

if TYPE_CHECKING:
    from dispatcher.config import Settings
    from dispatcher.delivery.selector import Server
    from dispatcher.delivery.signing_key import SigningKey

app = typer.Typer(name="dkim", help="Keys that sign our mail, and their DNS records.", no_args_is_help=True)

FOLDER = "config/dkim"


@app.command()
def keygen(
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Whom they vouch for; else the sender's domain.")] = "",
    selector: Annotated[str, typer.Option(metavar="NAME", help="What the DNS calls them; else made of the date.")] = "",
    ed25519: Annotated[bool, typer.Option("--ed25519/--rsa-only", help="An Ed25519 key beside the RSA key.")] = True,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help=f"Where the files go; else {FOLDER}.")] = None,
    json: Json = False,
) -> None:
    """Make keys, and print the DNS records and the lines of configuration that go with them. Overwrites nothing."""
    from dispatcher import clock
    from dispatcher.cli import show
    from dispatcher.delivery.signing_key import make_ed25519, make_rsa
    from dispatcher.pipeline.signing_keys import sender_domain

    settings = load()
    where = _checked_domain(domain) or sender_domain(settings)
    name = _checked_selector(selector or f"s{clock.now():%Y%m}")
    made = [make_rsa(where, name)]
    if ed25519:
        made.append(make_ed25519(where, f"{name}-ed25519"))
    files = _write(made, settings.resolve(str(out) if out else FOLDER))
    given = _checked_domain(domain) if domain else ""
    if json:
        show.as_json([{**_described(key), "key_file": str(file)} for key, file in zip(made, files, strict=True)])
        return
    for file in files:
        show.say(f"wrote {file}")
    show.say("\nPublish these records in the DNS:\n")
    _print_records(made)
    show.say("Then put these lines into the configuration, and see what `dispatcher dkim check` says:\n")
    for key, file in zip(made, files, strict=True):
        show.say(_entry(key, _in_config(file, settings), given))


@app.command("show")
def show_records(json: Json = False) -> None:
    """The DNS records of the keys that the configuration names."""
    from dispatcher.cli import show
    from dispatcher.pipeline.signing import Signer

    signer = Signer.of(load())
    if json:
        show.as_json([{**_described(key), "active": signer.is_in_use(key)} for key in signer.keys])
    elif signer.keys:
        _print_records(signer.keys)
    else:
        show.note(NO_KEYS)


@app.command()
def check(
    resolver: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The DNS server to ask; else those of this machine.")
    ] = "",
    json: Json = False,
) -> None:
    """Look into the DNS whether receivers can verify what our keys sign. Exit code 1 if one in use cannot be."""
    from dispatcher.cli import show
    from dispatcher.delivery.selector import faults, look_up
    from dispatcher.pipeline.signing import Signer

    server, signer = _server(resolver), Signer.of(load())
    found = [
        {"name": key.name, "active": signer.is_in_use(key), "faults": faults(key, look_up(key.name, server))}
        for key in signer.keys
    ]
    if json:
        show.as_json(found)
    else:
        show.table(
            "dkim",
            ("record", "key", "verdict"),
            [(f["name"], "in use" if f["active"] else "kept", "; ".join(f["faults"]) or "fine") for f in found],  # type: ignore[arg-type]
            empty=NO_KEYS,
        )
    if any(one["active"] and one["faults"] for one in found):
        raise typer.Exit(1)


NO_KEYS = "no [[dkim]] key signs our mail; `dispatcher dkim keygen` makes some"


def _write(keys: Sequence[SigningKey], folder: Path) -> list[Path]:
    """Put each key into a file that only we can read; none is written if one of them is there."""
    import os

    from dispatcher.cli.trouble import UsageError
    from dispatcher.delivery.signing_key import pem_of

    files = [folder / f"{key.selector}.pem" for key in keys]
    if there := [file for file in files if file.exists()]:
        raise UsageError(f"{there[0]} is there already, and keys are never overwritten; choose another --selector")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for key, file in zip(keys, files, strict=True):
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(pem_of(key))
    return files


def _described(key: SigningKey) -> dict[str, Any]:
    from dispatcher.delivery.signing_key import strings_of

    kind = "ed25519" if key.is_ed25519 else "rsa"
    return {
        "domain": key.domain,
        "selector": key.selector,
        "kind": kind,
        "name": key.name,
        "record": key.record,
        "strings": strings_of(key.record),
    }


def _print_records(keys: Iterable[SigningKey]) -> None:
    """Each as a line of a zone file, its value in strings of 255 octets, and the bare value for forms."""
    from dispatcher.cli import show
    from dispatcher.delivery.signing_key import strings_of

    for key in keys:
        strings = " ".join(f'"{string}"' for string in strings_of(key.record))
        show.say(f"{key.name}. IN TXT ( {strings} )")
        show.say(f"\n  where a form asks for the name:  {key.name}")
        show.say(f"  and for the value:               {key.record}\n")


def _entry(key: SigningKey, file: str, domain: str) -> str:
    """The lines that name a key in the configuration."""
    lines = ["[[dkim]]", *([f'domain = "{domain}"'] if domain else [])]
    return "\n".join([*lines, f'selector = "{key.selector}"', f'key_file = "{file}"', ""])


def _in_config(file: Path, settings: Settings) -> str:
    return str(file.relative_to(settings.base)) if file.is_relative_to(settings.base) else str(file)


def _checked_domain(text: str) -> str:
    from dispatcher.cli.trouble import UsageError
    from dispatcher.config.addresses import mail_domain

    try:
        return mail_domain(text) if text else ""
    except ValueError as error:
        raise UsageError(f"--domain: {error}") from None


def _checked_selector(text: str) -> str:
    from dispatcher.cli.trouble import UsageError
    from dispatcher.config.texts import selector

    try:
        return selector(text)
    except ValueError as error:
        raise UsageError(f"--selector: {error}") from None


def _server(text: str) -> Server | None:
    from ipaddress import ip_address

    from dispatcher.cli.trouble import UsageError
    from dispatcher.delivery.selector import Server

    if not text:
        return None
    host, _, port = text.rpartition(":")
    try:
        ip_address(host.strip("[]"))
        return Server(host.strip("[]"), int(port))
    except ValueError:
        raise UsageError(f"--resolver: {text!r} is no IP address and port; write it like 127.0.0.1:53") from None
