"""`genqueue receivers`: URLs that want events, what was sent to them, and sending it again."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich import table

from cli import client, exits, screen, submissions

app = typer.Typer(name="receivers", help="Who is told of events, and what was delivered.", no_args_is_help=True)

PATH = "/v1/webhook-receivers"
ReceiverId = Annotated[str, typer.Argument(help="The receiver's id.")]


@app.command("list")
@screen.command
async def list_(json: screen.AsJson = False) -> exits.Exit:
    """All receivers."""
    async with screen.connect() as api:
        found = (await api.get(PATH))["data"]
    if json:
        screen.document(found)
        return exits.Exit.DONE
    if not found:
        screen.hints.print("Nobody is told of events. Add one: genqueue receivers add https://example.com/genqueue")
        return exits.Exit.DONE
    made = screen.grid(table.Column("id", no_wrap=True), "url", "events", "state")
    for item in found:
        events = ", ".join(item["events"]) if item["events"] else "all"
        made.add_row(item["id"], screen.safe(item["url"]), events, _state(item))
    screen.out.print(made)
    return exits.Exit.DONE


def _state(item: client.Json) -> str:
    if not item["enabled"]:
        return f"[red]off: {screen.safe(item['disabled_reason'])}[/]"
    return f"[yellow]{item['failures']} failed in a row[/]" if item["failures"] else "[green]well[/]"


@app.command()
@screen.command
async def add(
    url: Annotated[str, typer.Argument(help="A public https URL.")],
    event: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
    description: Annotated[str, typer.Option()] = "",
    json: screen.AsJson = False,
) -> exits.Exit:
    """Register a URL. Its id goes to stdout; `secret` shows what signs."""
    body = {"url": url, "description": description} | submissions.given({"events": event or None})
    async with screen.connect() as api:
        made = await api.post(PATH, body)
    if json:
        screen.document(made)
    else:
        screen.plain(made["id"])
    return exits.Exit.DONE


@app.command()
@screen.command
async def secret(receiver_id: ReceiverId, json: screen.AsJson = False) -> exits.Exit:
    """The secret that its deliveries are signed with."""
    async with screen.connect() as api:
        found = await api.get(f"{PATH}/{receiver_id}/secret")
    if json:
        screen.document(found)
    else:
        screen.plain(found["secret"])
    return exits.Exit.DONE


@app.command("test")
@screen.command
async def try_out(receiver_id: ReceiverId, json: screen.AsJson = False) -> exits.Exit:
    """Send it a test."""
    async with screen.connect() as api:
        sent = await api.post(f"{PATH}/{receiver_id}/test")
    if json:
        screen.document(sent)
    else:
        screen.plain(sent["delivery_id"])
    return exits.Exit.DONE


@app.command()
@screen.command
async def deliveries(
    receiver: Annotated[str | None, typer.Option(help="Only to this one.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="pending, delivered, exhausted, dropped.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    json: screen.AsJson = False,
) -> exits.Exit:
    """What was sent, newest first."""
    wanted: dict[str, client.Parameter] = {"limit": limit}
    wanted |= {"receiver": receiver} if receiver else {}
    wanted |= {"status": status} if status else {}
    async with screen.connect() as api:
        found = (await api.get("/v1/webhook-deliveries", **wanted))["data"]
    if json:
        screen.document(found)
        return exits.Exit.DONE
    if not found:
        screen.hints.print("Nothing was sent.")
        return exits.Exit.DONE
    made = screen.grid(table.Column("id", no_wrap=True), "event", "about", "status", "answer", "tries")
    for item in found:
        answer = item["last_status_code"] or item["last_error"] or ""
        shown = (item["id"], item["event_type"], item["subject_id"], item["status"])
        made.add_row(*shown, screen.safe(answer), str(item["try_count"]))
    screen.out.print(made)
    return exits.Exit.DONE


@app.command()
@screen.command
async def replay(
    delivery_or_receiver: Annotated[str, typer.Argument(help="A delivery, or a receiver with --hours.")],
    hours: Annotated[float | None, typer.Option(help="All that a receiver lost in the last hours.")] = None,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Send one delivery again, or what a receiver lost. The ids stay the same."""
    async with screen.connect() as api:
        if hours is None:
            sent = await api.post(f"/v1/webhook-deliveries/{delivery_or_receiver}/replay")
        else:
            since = (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
            sent = await api.post(f"{PATH}/{delivery_or_receiver}/replay", {"since": since})
    if json:
        screen.document(sent)
    else:
        screen.plain(f"{sent['deliveries']} deliveries go out again" if hours is not None else f"{sent['id']} goes out")
    return exits.Exit.DONE


@app.command()
@screen.command
async def delete(receiver_id: ReceiverId, json: screen.AsJson = False) -> exits.Exit:
    """Delete it with its secrets and its log."""
    async with screen.connect() as api:
        await api.delete(f"{PATH}/{receiver_id}")
    if json:
        screen.document({"id": receiver_id, "deleted": True})
    else:
        screen.plain(f"{receiver_id} is deleted")
    return exits.Exit.DONE
