"""`genqueue models`: what can be asked for, and at what price."""

from typing import Annotated

import typer

from cli import client, exits, screen


@screen.command
async def models(
    model: Annotated[str | None, typer.Argument(help="Only this one, with all it takes.")] = None,
    kind: Annotated[str | None, typer.Option(help="video, image or text.")] = None,
    json: screen.AsJson = False,
) -> exits.Exit:
    """List the models, or show one with its choices and prices."""
    async with screen.connect() as api:
        if model is not None:
            _show(await api.get(f"/v1/models/{model}"), as_json=json)
        else:
            _list((await api.get("/v1/models", **({"kind": kind} if kind else {})))["data"], as_json=json)
    return exits.Exit.DONE


def _list(found: list[client.Json], *, as_json: bool) -> None:
    if as_json:
        screen.document(found)
        return
    made = screen.grid("model", "kind", "price", "usual", "", "description")
    for model in found:
        made.add_row(
            screen.safe(model["id"]),
            model["kind"],
            prices(model),
            f"{model['usual_seconds']:g} s",
            "" if model["available"] else "[red]no key[/]",
            screen.safe(model["description"]),
        )
    screen.out.print(made)


def prices(model: client.Json) -> str:
    """The prices of the cheapest usable endpoint, as in `$0.05/second`."""
    offers = [offer for offer in model["endpoints"] if offer["available"]] or model["endpoints"]
    listed = min(([(float(p["usd"]), p["unit"]) for p in offer["prices"]] for offer in offers), default=[])
    return ", ".join(f"${usd:g}/{unit.replace('_', ' ')}" for usd, unit in listed[:2])


def _show(model: client.Json, *, as_json: bool) -> None:
    if as_json:
        screen.document(model)
        return
    made = screen.grid("", "")
    made.add_row("model", screen.safe(model["id"]))
    made.add_row("", screen.safe(model["description"]))
    for field in ("durations", "resolutions", "aspect_ratios", "sizes", "formats", "parameters"):
        if model[field]:
            made.add_row(field.replace("_", " "), ", ".join(map(str, model[field])))
    for offer in model["endpoints"]:
        made.add_row(screen.safe(offer["provider"]), prices({"endpoints": [offer]}))
    screen.out.print(made)
