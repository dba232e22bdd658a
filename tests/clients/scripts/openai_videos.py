"""Every method of `client.videos` that is served."""

import io

import openai_session
import steps

client = openai_session.client(max_retries=0)
videos = client.videos
MODEL = "sandbox/video"

made = steps.step(
    "create_and_poll", lambda: videos.create_and_poll(model=MODEL, prompt="a heron", seconds="4", size="1280x720")
)
held = steps.step("create", lambda: videos.create(model=MODEL, prompt="a heron", seconds="4", size="720x1280"))
polled = steps.step("poll_headers", lambda: dict(videos.with_raw_response.retrieve(held.id).headers))
steps.step("poll", lambda: videos.poll(held.id))
steps.step("retrieve", lambda: videos.retrieve(held.id))
for variant in ("video", "thumbnail", "spritesheet"):
    steps.step(variant, lambda variant=variant: videos.download_content(made.id, variant=variant).read())


def stream() -> bytes:
    with videos.with_streaming_response.download_content(made.id) as response:
        return b"".join(response.iter_bytes())


steps.step("streamed", stream)
remixed = steps.step("remix", lambda: videos.remix(made.id, prompt="a heron at night"))
steps.step("remix_end", lambda: videos.poll(remixed.id))
steps.step(
    "remix_early",
    lambda: (
        videos.remix(slow.id, prompt="x")
        if (slow := videos.create(model="sandbox/video-slow", prompt="slow", seconds="4", size="1280x720"))
        else None
    ),
)
for order in ("asc", "desc"):
    steps.step(f"list_{order}", lambda order=order: [v.id for v in videos.list(limit=2, order=order)])
steps.step("list_page", lambda: videos.list(limit=1))
pictured = {
    "reference_bytes": steps.png(),
    "reference_io": io.BytesIO(steps.png()),
    "reference_tuple": ("frame.png", steps.png(), "image/png"),
}
for name, picture in pictured.items():
    steps.step(
        name,
        lambda picture=picture: videos.create(
            model=MODEL, prompt="x", seconds="4", size="1280x720", input_reference=picture
        ),
    )
file = client.files.create(file=("frame.png", steps.png()), purpose="vision")
bracketed = {"input_reference": {"file_id": file.id}}
steps.step(
    "reference_bracketed",
    lambda: videos.create(model=MODEL, prompt="x", seconds="4", size="1280x720", extra_body=bracketed),
)
as_json = {"Content-Type": "application/json"}
steps.step(
    "json",
    lambda: videos.create(
        model=MODEL, prompt="x", seconds="4", size="1280x720", extra_headers=as_json, extra_body={"seed": 7}
    ),
)
steps.step(
    "extras",
    lambda: videos.create_and_poll(
        model="sandbox/video-unavailable",
        prompt="x",
        seconds="4",
        size="1280x720",
        extra_body={"models": [MODEL], "seed": 7, "metadata": {"order": "17"}, "provider": {"allow_fallbacks": True}},
    ),
)
key = {"Idempotency-Key": f"videos-{made.id}"}
twice = [
    steps.step(
        f"keyed_{n}", lambda: videos.create(model=MODEL, prompt="once", seconds="4", size="1280x720", extra_headers=key)
    )
    for n in (1, 2)
]
steps.step(
    "keyed_other", lambda: videos.create(model=MODEL, prompt="other", seconds="4", size="1280x720", extra_headers=key)
)
steps.step(
    "failed", lambda: videos.create_and_poll(model="sandbox/video-refuse", prompt="x", seconds="4", size="1280x720")
)
steps.step(
    "expired",
    lambda: videos.create_and_poll(
        model="sandbox/video-hang", prompt="x", seconds="4", size="1280x720", extra_body={"deadline_seconds": 3}
    ),
)
running = videos.create(model="sandbox/video-slow", prompt="x", seconds="4", size="1280x720")
steps.step("content_early", lambda: videos.download_content(running.id))
steps.until(running.id, "in_progress")
steps.step("delete_running", lambda: videos.delete(running.id))
steps.step("retrieve_deleted", lambda: videos.retrieve(running.id))
steps.step("delete", lambda: videos.delete(made.id))
steps.step("content_deleted", lambda: videos.download_content(made.id))
