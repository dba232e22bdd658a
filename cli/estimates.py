"""`genqueue estimate`: what a request would cost and how long it would take, before it is made."""

from typing import Annotated

import typer

from cli import client, exits, screen, submissions

KINDS = ("video", "image", "text")


@screen.command
async def estimate(
    kind: Annotated[str, typer.Argument(help="video, image or text.")],
    prompt: submissions.Prompt = "…",
    model: Annotated[str | None, typer.Option("--model", "-m", help="Else the sandbox's.")] = None,
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="Seconds of video.")] = None,
    resolution: Annotated[str | None, typer.Option(help="As in 720p.")] = None,
    size: submissions.Size = None,
    number: Annotated[int | None, typer.Option("-n", help="How many.")] = None,
    fallback: submissions.Fallback = None,
    field: submissions.Field = None,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Say what a request would cost and take. Stores nothing, costs nothing."""
    if kind not in KINDS:
        raise typer.BadParameter(f"{kind!r} is not one of {', '.join(KINDS)}.")
    own = {"duration": duration, "resolution": resolution, "size": size, "n": number}
    asked = submissions.asked(model or f"sandbox/{kind}", prompt, fallback, None, field) | submissions.given(own)
    async with screen.connect() as api:
        found = await api.post("/v1/estimates", {"kind": kind, "request": asked})
    if json:
        screen.document(found)
    else:
        _print(found)
    return exits.Exit.DONE


def _print(found: client.Json) -> None:
    least, most = (screen.usd(found["price"][end]["cost_micros"]) for end in ("least", "most"))
    cost = least if least == most else f"{least} to {most}"
    screen.out.print(f"{cost}, about {found['seconds']:g} s", highlight=False)
    if len(found["candidates"]) > 1:
        made = screen.grid("may be served by", "cost", "seconds")
        for each in found["candidates"]:
            made.add_row(screen.safe(each["endpoint"]), screen.usd(each["cost_micros"]), f"{each['seconds']:g}")
        screen.out.print(made)
