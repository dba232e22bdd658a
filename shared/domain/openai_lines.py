"""OpenAI batch lines: `{"custom_id", "method": "POST", "url", "body"}`, one a line. Pure."""

from collections.abc import Callable
from typing import Any

import orjson

from shared.domain import sheets

COLUMNS = ("custom_id", "method", "url", "body")
Body = dict[str, Any]


def are_lines(layout: sheets.Layout) -> bool:
    """Whether the file is one of OpenAI batch lines."""
    return layout.form is sheets.Form.JSONL and {"custom_id", "url", "body"} <= set(layout.columns)


def request_body(url: str, body: str) -> Body:
    """Our request for one line. Raises ValueError with what is wrong."""
    path = url.strip().rstrip("/").removeprefix("/v1")
    translate = _BY_PATH.get(path)
    if translate is None:
        known = ", ".join(f"/v1{name}" for name in sorted(_BY_PATH))
        raise ValueError(f"this url is not one of {known}")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("body is not JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("body must be an object")  # noqa: TRY004 - a fault of the row, as the others
    return translate(parsed)


def _chat(body: Body) -> Body:
    if body.get("stream"):
        raise ValueError("stream cannot be used in a batch")
    made = _only(body, ("model", "temperature", "seed", "response_format"))
    made["messages"] = [_message(turn) for turn in body.get("messages") or []]
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    return made if limit is None else made | {"max_tokens": limit}


def _message(turn: Any) -> Body:  # noqa: ANN401 - whatever the line holds
    if not isinstance(turn, dict):
        raise ValueError("every message must be an object")  # noqa: TRY004 - a fault of the row, as the others
    content = turn.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    role = "system" if turn.get("role") == "developer" else turn.get("role")
    return {"role": role, "content": content}


def _image(body: Body) -> Body:
    made = _only(body, ("model", "prompt", "n", "size"))
    if made.get("size") == "auto":
        del made["size"]
    return made if "output_format" not in body else made | {"format": body["output_format"]}


def _video(body: Body) -> Body:
    made = _only(body, ("model", "prompt", "size"))
    seconds = body.get("seconds")
    if seconds is None:
        return made
    if not str(seconds).isdigit():
        raise ValueError("seconds must be a whole number")
    return made | {"duration": int(seconds)}


def _only(body: Body, names: tuple[str, ...]) -> Body:
    return {name: body[name] for name in names if body.get(name) is not None}


_BY_PATH: dict[str, Callable[[Body], Body]] = {
    "/chat/completions": _chat,
    "/images/generations": _image,
    "/videos": _video,
}
