"""What the client raises for each kind of fault, and that it does not repeat what would only cost again."""

import openai_session
import steps

client = openai_session.client(max_retries=0)
videos = client.videos
good = {"model": "sandbox/video", "prompt": "x", "seconds": "4", "size": "1280x720"}

steps.step("key", openai_session.client(api_key="wrong-key-of-a-stranger").models.list)
steps.step("model", lambda: videos.create(**good | {"model": "sandbox/vidoe"}))
steps.step("kind", lambda: videos.create(**good | {"model": "sandbox/text"}))
steps.step("seconds", lambda: videos.create(**good | {"seconds": "77"}))
steps.step("seconds_word", lambda: videos.create(**good | {"seconds": "four"}))
steps.step("size", lambda: videos.create(**good | {"size": "1x1"}))
steps.step("prompt", lambda: videos.create(**good | {"prompt": " "}))
steps.step("unknown", lambda: videos.create(**good, extra_body={"colour": "red"}))
steps.step("reference", lambda: videos.create(**good, input_reference=b"no picture"))
steps.step("not_found", lambda: videos.retrieve("video_nothing"))
steps.step("content_not_found", lambda: videos.download_content("video_nothing"))
steps.step("route", lambda: client.get("/nothing", cast_to=dict))
steps.step("method", lambda: client.put("/videos", cast_to=dict))
steps.step(
    "media_type",
    lambda: client.post("/videos", cast_to=dict, content=b"x", options={"headers": {"Content-Type": "text/plain"}}),
)
steps.step(
    "json",
    lambda: client.post(
        "/videos", cast_to=dict, content=b"{", options={"headers": {"Content-Type": "application/json"}}
    ),
)
steps.step(
    "too_large",
    lambda: client.post("/chat/completions", cast_to=dict, body={"model": "x", "messages": "y" * 9_000_000}),
)
film = ("a.mp4", b"x", "video/mp4")
steps.step("edit", lambda: videos.edit(prompt="x", video=film))
steps.step("extend", lambda: videos.extend(prompt="x", seconds="4", video=film))
steps.step("character", lambda: videos.create_character(name="x", video=film))
steps.step("limit", lambda: videos.list(limit=1000))
steps.step("no_endpoints", lambda: videos.create(**good, extra_body={"provider": {"only": ["nobody"]}}))
tried: list[str] = []
counting = openai_session.client(max_retries=2)


def count(request: object) -> None:
    tried.append(str(request))


counting._client.event_hooks = {"request": [count]}
steps.step(
    "conflict", lambda: counting.videos.download_content(videos.create(**good | {"model": "sandbox/video-slow"}).id)
)
steps.note("conflict_tries", len(tried))
tried.clear()
steps.step(
    "failed",
    lambda: counting.images.generate(model="sandbox/image-garbage-output", prompt="x"),
)
steps.note("failed_tries", len(tried))
