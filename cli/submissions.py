"""`genqueue submit video|image|text`: the first thing a new user types."""

import json as jsons
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import client, exits, outputs, pictures, screen, watching

app = typer.Typer(help="Submit a job: a video, an image or a text.", no_args_is_help=True)

Prompt = Annotated[str, typer.Argument(help="What to make; `-` reads it from stdin.")]
Fallback = Annotated[list[str] | None, typer.Option(help="Asked in turn when the model fails. May be repeated.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="May be repeated.")]
Field = Annotated[
    list[str] | None, typer.Option(metavar="NAME=JSON", help="Any other field of the request. May be repeated.")
]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait for the end, with a progress bar.")]
Seed = Annotated[int | None, typer.Option(help="The same seed makes the same output, where the model can.")]
Size = Annotated[str | None, typer.Option(help="Pixels, as in 1280x720.")]
Key = Annotated[str | None, typer.Option(help="The same key with the same request is one job.")]


@app.command()
@screen.command
async def video(
    prompt: Prompt,
    model: Annotated[str, typer.Option("--model", "-m", envvar="GENQUEUE_VIDEO_MODEL")] = "sandbox/video",
    duration: Annotated[int | None, typer.Option("--duration", "-d", help="Seconds.")] = None,
    resolution: Annotated[str | None, typer.Option(help="As in 720p.")] = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="As in 16:9.")] = None,
    size: Size = None,
    seed: Seed = None,
    audio: Annotated[bool | None, typer.Option("--audio/--no-audio", help="With sound.")] = None,
    first_frame: Annotated[str | None, typer.Option(help="A picture it begins with: a file or an https URL.")] = None,
    fallback: Fallback = None,
    metadata: Metadata = None,
    field: Field = None,
    idempotency_key: Key = None,
    wait: Wait = False,
    out: outputs.Out = None,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Make a video: `genqueue submit video "a lighthouse at dusk" --wait --out lighthouse.mp4`."""
    frames = [{"type": "image_url", "image_url": {"url": pictures.url(first_frame)}, "frame_type": "first_frame"}]
    own = {
        "duration": duration,
        "resolution": resolution,
        "aspect_ratio": aspect_ratio,
        "size": size,
        "seed": seed,
        "generate_audio": audio,
        "frame_images": frames if first_frame else None,
    }
    body = asked(model, prompt, fallback, metadata, field) | given(own)
    return await _submit("video", body, idempotency_key, out, wait=wait, as_json=json)


@app.command()
@screen.command
async def image(
    prompt: Prompt,
    model: Annotated[str, typer.Option("--model", "-m", envvar="GENQUEUE_IMAGE_MODEL")] = "sandbox/image",
    size: Size = None,
    number: Annotated[int | None, typer.Option("-n", help="How many.")] = None,
    seed: Seed = None,
    format_: Annotated[str | None, typer.Option("--format", help="As in png.")] = None,
    fallback: Fallback = None,
    metadata: Metadata = None,
    field: Field = None,
    idempotency_key: Key = None,
    wait: Wait = False,
    out: outputs.Out = None,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Make one or more images."""
    own = {"size": size, "n": number, "seed": seed, "format": format_}
    body = asked(model, prompt, fallback, metadata, field) | given(own)
    return await _submit("image", body, idempotency_key, out, wait=wait, as_json=json)


@app.command()
@screen.command
async def text(
    prompt: Prompt,
    model: Annotated[str, typer.Option("--model", "-m", envvar="GENQUEUE_TEXT_MODEL")] = "sandbox/text",
    max_tokens: Annotated[int | None, typer.Option(help="The longest answer.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    seed: Seed = None,
    fallback: Fallback = None,
    metadata: Metadata = None,
    field: Field = None,
    idempotency_key: Key = None,
    wait: Wait = False,
    out: outputs.Out = None,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Make a text. With --wait and without --out it is printed."""
    own = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    body = asked(model, prompt, fallback, metadata, field) | given(own)
    return await _submit("text", body, idempotency_key, out, wait=wait, as_json=json)


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given; the API fills in the others."""
    return {name: value for name, value in fields.items() if value is not None}


def asked(
    model: str, prompt: str, fallback: list[str] | None, metadata: list[str] | None, field: list[str] | None
) -> client.Json:
    """What all kinds of request have. Raises typer.BadParameter."""
    body: client.Json = {"model": model, "prompt": sys.stdin.read() if prompt == "-" else prompt}
    if fallback:
        body["models"] = fallback
    if metadata:
        body["metadata"] = dict(pair(item) for item in metadata)
    return body | {name: _json(value) for name, value in map(pair, field or ())}


def pair(item: str) -> tuple[str, str]:
    """`KEY=VALUE` as two. Raises typer.BadParameter."""
    name, sign, value = item.partition("=")
    if not (name and sign):
        raise typer.BadParameter(f"{item!r} is not NAME=VALUE.")
    return name, value


def _json(value: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return jsons.loads(value)
    except ValueError:
        return value  # a bare word is a string


async def _submit(
    kind: str, body: client.Json, key: str | None, out: Path | None, *, wait: bool, as_json: bool
) -> exits.Exit:
    async with screen.connect() as api:
        receipt = await api.submit(kind, body, key)
        if not (wait or out):
            print_receipt(receipt, as_json=as_json)
            return exits.Exit.DONE
        return await finish(api, receipt["id"], out, as_json=as_json)


def print_receipt(receipt: client.Json, *, as_json: bool) -> None:
    """The id on stdout, so that a script can keep it; what to do next on stderr."""
    if as_json:
        screen.document(receipt)
        return
    screen.plain(receipt["id"])
    screen.hints.print(f"[dim]Look on with: genqueue watch {receipt['id']}[/]")


async def finish(api: client.Client, job_id: str, out: Path | None, *, as_json: bool) -> exits.Exit:
    """Wait for a job, save its outputs if a place is named, and print it."""
    job = (await watching.watch(api, [job_id], quiet=as_json))[0]
    saved = await outputs.save(api, job, out) if out and job["status"] == "completed" else []
    if as_json:
        screen.document(job | {"saved": [str(file.path) for file in saved]})
    elif saved:
        outputs.report(saved, as_json=False)
    elif job["kind"] == "text" and job["status"] == "completed":
        screen.plain(await api.text(job_id))
    else:
        screen.job(job)
    return watching.verdict([job])
