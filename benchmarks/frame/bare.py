"""The yardstick of the API: FastAPI with nothing behind it."""

import json
import os
import uuid

import fastapi
import pydantic

app = fastapi.FastAPI()
_SIZED = json.loads(os.environ.get("BARE_ANSWER", "{}"))


class Video(pydantic.BaseModel):
    """The body that the benchmarks send."""

    model: str
    prompt: str
    duration: int
    resolution: str
    aspect_ratio: str
    metadata: dict[str, str]


class Accepted(pydantic.BaseModel):
    """An id."""

    id: str
    status: str


@app.post("/v1/videos", status_code=202)
async def create_video(body: Video) -> Accepted:
    """Parse the body and answer."""
    assert body.prompt
    return Accepted(id=uuid.uuid4().hex, status="queued")


@app.get("/v1/jobs/{job_id}")
async def get_job(job_id: str) -> dict[str, object]:
    """A JSON of the size of a job."""
    assert job_id
    return _SIZED  # type: ignore[no-any-return]


@app.get("/ready")
async def ready() -> dict[str, str]:
    """It is up."""
    return {}
