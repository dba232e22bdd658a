"""`genqueue keys`: who may call the API. Needs a key with the scope `admin`, apart from `show`."""

from typing import Annotated

import typer
from rich import table

from cli import client, exits, screen, submissions

app = typer.Typer(name="keys", help="Make, list, rotate and disable API keys.", no_args_is_help=True)

PAGE = 100
KeyId = Annotated[str, typer.Argument(help="The key's id, `key_…`.")]


@app.command()
@screen.command
async def show(json: screen.AsJson = False) -> exits.Exit:
    """The key you use: what it may do, what it has going on, and its budgets."""
    async with screen.connect() as api:
        key = await api.get("/v1/key")
    if json:
        screen.document(key)
        return exits.Exit.DONE
    made = screen.grid("", "")
    made.add_row("key", f"{screen.safe(key['name'])} ({key['id']})")
    made.add_row("may", ", ".join(key["scopes"]))
    made.add_row("jobs", f"{key['queued']} queued, {key['in_flight']} in flight")
    for budget in key["budgets"]:
        spent, limit = screen.usd(budget["spent_micros"]), screen.usd(budget["limit_micros"])
        made.add_row("budget", f"{spent} of {limit} a {budget['period']}")
    screen.out.print(made)
    return exits.Exit.DONE


@app.command("list")
@screen.command
async def list_(json: screen.AsJson = False) -> exits.Exit:
    """All keys, oldest first."""
    async with screen.connect() as api:
        found = await _all(api)
    if json:
        screen.document(found)
        return exits.Exit.DONE
    if not found:
        screen.hints.print('Only the admin key of the settings. Make one: genqueue keys create "the film team"')
        return exits.Exit.DONE
    made = screen.grid(table.Column("id", no_wrap=True), "name", "mode", "may", "begins", "state", "last used")
    for key in found:
        state = "[red]disabled[/]" if key["disabled_at"] else "[green]works[/]"
        used = (key["last_used_at"] or "never")[:16].replace("T", " ")
        shown = (key["id"], screen.safe(key["name"]), key["mode"], ", ".join(key["scopes"]))
        made.add_row(*shown, screen.safe(key["hint"]), state, used)
    screen.out.print(made)
    return exits.Exit.DONE


async def _all(api: client.Client) -> list[client.Json]:
    found: list[client.Json] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await api.get("/v1/keys", limit=PAGE, **({"cursor": cursor} if cursor else {}))
        found += page["data"]
        cursor = page["next_cursor"]
    return found


@app.command()
@screen.command
async def create(
    name: Annotated[str, typer.Argument(help="Who or what it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="submit, read, manage or admin; may be repeated. [default: submit, read]")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Sandbox models only, and costs nothing.")] = False,
    expires: Annotated[str | None, typer.Option(help="As in 2027-01-31T00:00:00Z.")] = None,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Make a key. Its secret goes to stdout, this once."""
    given = {"scopes": scope or None, "expires_at": expires, "mode": "test" if test else None}
    async with screen.connect() as api:
        _print_secret(await api.post("/v1/keys", {"name": name} | submissions.given(given)), as_json=json)
    return exits.Exit.DONE


@app.command()
@screen.command
async def rotate(
    key_id: KeyId,
    grace: Annotated[int, typer.Option(help="Seconds that the old secret still works.")] = 86400,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Give a key a new secret. It goes to stdout, this once."""
    async with screen.connect() as api:
        _print_secret(await api.post(f"/v1/keys/{key_id}/rotate", {"grace_seconds": grace}), as_json=json)
    return exits.Exit.DONE


def _print_secret(key: client.Json, *, as_json: bool) -> None:
    if as_json:
        screen.document(key)
        return
    screen.plain(key["secret"])
    screen.hints.print(f"[dim]{key['id']}; the secret is not shown again.[/]")


@app.command()
@screen.command
async def disable(key_id: KeyId, json: screen.AsJson = False) -> exits.Exit:
    """Disable a key for good, at once. Its jobs go on."""
    async with screen.connect() as api:
        key = await api.delete(f"/v1/keys/{key_id}")
    if json:
        screen.document(key)
    else:
        screen.plain(f"{key['id']} is disabled")
    return exits.Exit.DONE
