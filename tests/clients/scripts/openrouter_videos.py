"""`client.video_generation`."""

import base64
import urllib.request

import openrouter_session
import steps

client = openrouter_session.client()
videos = client.video_generation
MODEL = "sandbox/video"
PICTURE = "data:image/png;base64," + base64.b64encode(steps.png()).decode()


def end_of(job):
    steps.until(job.id)
    return videos.get_generation(job_id=job.id)


made = steps.step(
    "generate",
    lambda: videos.generate(
        model=MODEL, prompt="a red balloon", duration=5, resolution="720p", aspect_ratio="16:9", seed=7
    ),
)
ended = steps.step("get_generation", lambda: end_of(made))
steps.step("content", lambda: b"".join(videos.get_video_content(job_id=made.id, index=0).iter_bytes()))
steps.step("signed", lambda: urllib.request.urlopen(ended.urls[0]).read())
steps.step("content_index", lambda: videos.get_video_content(job_id=made.id, index=5))
steps.step("generation", lambda: client.generations.get_generation(id=made.id))
key = {"Idempotency-Key": f"or-{made.id}"}
for number in (1, 2):
    steps.step(f"keyed_{number}", lambda: videos.generate(model=MODEL, prompt="once", http_headers=key))
steps.step("keyed_other", lambda: videos.generate(model=MODEL, prompt="other", http_headers=key))
frame = {"type": "image_url", "image_url": {"url": PICTURE}, "frame_type": "first_frame"}
steps.step("frames", lambda: videos.generate(model=MODEL, prompt="x", frame_images=[frame]))
steps.step(
    "references",
    lambda: videos.generate(
        model=MODEL, prompt="x", input_references=[{"type": "image_url", "image_url": {"url": PICTURE}}]
    ),
)
steps.step(
    "observed", lambda: videos.generate(model=MODEL, prompt="x", user="u", session_id="s", trace={"trace_id": "t"})
)
steps.step("failed", lambda: end_of(videos.generate(model="sandbox/video-refuse", prompt="x")))
running = videos.generate(model="sandbox/video-slow", prompt="x")
steps.step("content_early", lambda: videos.get_video_content(job_id=running.id))
steps.step("unknown_job", lambda: videos.get_generation(job_id="gen-vid-1-x"))
steps.step("models", videos.list_videos_models)
steps.step("duration", lambda: videos.generate(model=MODEL, prompt="x", duration=99))
steps.step("no_prompt", lambda: videos.generate(model=MODEL))
steps.step("model_unknown", lambda: videos.generate(model="sandbox/vidoe", prompt="x"))
steps.step("previous", lambda: videos.generate(model=MODEL, prompt="x", previous_job_id=made.id))
steps.step("options", lambda: videos.generate(model=MODEL, prompt="x", provider={"options": {"replicate": {"a": 1}}}))
steps.step(
    "key",
    lambda: openrouter_session.client(api_key="wrong-key-of-a-stranger").video_generation.generate(
        model=MODEL, prompt="x"
    ),
)
steps.note("ids", {"running": running.id, "made": made.id})
