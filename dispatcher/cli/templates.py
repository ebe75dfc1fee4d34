"""`templates`: what makes mails and pages, and how to make it yours."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from dispatcher.cli.options import ALONE, Json, Listing, Yes
from dispatcher.cli.session import load_file

BROKEN = 3

app = typer.Typer(
    name="templates", cls=Listing, help="What makes mails and pages, and how to make it yours.", epilog=ALONE
)


@app.command("list")
def listing(json: Json = False) -> None:
    """List all templates: whose each is, what it makes, and whether ours has changed since you copied it."""
    from dispatcher.cli import show
    from dispatcher.pipeline import templates

    found = templates.listing(load_file())
    if json:
        show.as_json([asdict(entry) for entry in found])
        return
    show.table(
        "templates",
        ("name", "whose", "makes", "remark"),
        [(entry.name, entry.whose, entry.makes, entry.remark) for entry in found],
    )


@app.command()
def eject(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="As `templates list` has them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of them, pages too.")] = False,
    yes: Yes = False,
) -> None:
    """Copy templates of ours into your folder, to be changed there."""
    from dispatcher.cli import show
    from dispatcher.pipeline import templates

    if bool(names) == all_:
        raise typer.BadParameter("name templates, or say --all")
    copies = templates.eject(load_file(), names or [])
    there = [path for path in copies if path.exists()]
    if there:
        show.confirm(f"Write over {', '.join(map(str, there))}?", yes=yes)
    for path, text in copies.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        show.say(f"wrote {path}")


@app.command()
def check(json: Json = False) -> None:
    """Render every kind of mail in every layout and language with invented news, and say what is wrong."""
    from dispatcher.cli import show
    from dispatcher.pipeline import templates

    verdict = templates.check(load_file())
    if json:
        errors = [{"template": fault.name, "reason": fault.reason} for fault in verdict.faults]
        show.as_json({"errors": errors, "warnings": list(verdict.remarks)})
    else:
        for line in templates.lines(verdict):
            show.say(line)
        if not verdict.faults:
            show.say("all templates are fine" if not verdict.remarks else "all templates can be used")
    if verdict.faults:
        raise typer.Exit(BROKEN)
