"""How the client meets limits, and jobs that were cancelled or ran out of time."""

import json
import os
import urllib.request

import openrouter_session
import steps

client = openrouter_session.client()
videos = client.video_generation


def until_refused(models):
    for _ in range(20):
        models.count()


def post(path, body=None):
    """What the client cannot send: a deadline, a cancel."""
    headers = {"Authorization": f"Bearer {os.environ['GENQUEUE_KEY']}", "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body is not None else b""
    url = os.environ["GENQUEUE_URL"] + path
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method="POST")) as answer:
        return json.load(answer)


def end_of(job_id):
    steps.until(job_id)
    return videos.get_generation(job_id=job_id)


steps.step("rate", lambda: until_refused(openrouter_session.client(api_key=os.environ["HASTY_KEY"]).models))
reader = openrouter_session.client(api_key=os.environ["READING_KEY"])
steps.step("write", lambda: reader.video_generation.generate(model="sandbox/video", prompt="x"))
slow = videos.generate(model="sandbox/video-hang", prompt="x")
post(f"/v1/jobs/{slow.id}/cancel")
steps.step("cancelled", lambda: end_of(slow.id))
late = post("/api/v1/videos", {"model": "sandbox/video-hang", "prompt": "x", "deadline_seconds": 1})
steps.step("expired", lambda: end_of(late["id"]))
steps.step("expired_content", lambda: videos.get_video_content(job_id=late["id"]))
failing = videos.generate(model="sandbox/video-fail", prompt="x")
steps.step("failed", lambda: end_of(failing.id))
steps.step("failed_generation", lambda: client.generations.get_generation(id=failing.id))
turns = [{"role": "user", "content": "x"}]
steps.step("chat_refused", lambda: client.chat.send(model="sandbox/text-refuse", messages=turns))
steps.step("chat_failed", lambda: client.chat.send(model="sandbox/text-fail", messages=turns))
steps.step("chat_nonsense", lambda: client.chat.send(model="sandbox/text", messages=[]))
