"""`chat/completions` as several companies speak it: a conversation becomes a text job, its text a completion."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fastapi
import orjson

from api import accepting, auth, forms, held, idempotency, parts
from shared import errors
from shared.domain import outputs, requests, states
from shared.services import jobs
from shared.services import outputs as output_services

PIECE_CHARACTERS = 48
DONE = b"data: [DONE]\n\n"
# A comment; an event without data, or one with an id, makes these clients fall over.
KEEP_ALIVE = b": still working\n\n"

_SAME = ("model", "models", "temperature", "seed", "metadata", "provider", "priority", "on_doubt", "fallback_on")
# Fields that cannot be honoured, with the values that ask for nothing.
_NEUTRAL: Mapping[str, Sequence[object]] = {
    "n": (1,),
    "top_p": (1,),
    "top_k": (0,),
    "min_p": (0,),
    "top_a": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "stop": ([],),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "reasoning": (),
    "reasoning_effort": (),
    "verbosity": ("medium",),
    "web_search_options": (),
    "plugins": ([],),
    "image_config": ({},),
}
# Fields that change nothing about the answer.
_IGNORED = (
    "user",
    "store",
    "stream",
    "stream_options",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "parallel_tool_calls",
    "session_id",
    "trace",
    "usage",
    "route",
)
_KNOWN = (
    *_SAME,
    *_NEUTRAL,
    *_IGNORED,
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "response_format",
    "deadline_seconds",
)


def request_of(fields: Mapping[str, Any], deadline_seconds: int) -> requests.TextRequest:
    """The body of a chat as a request of ours. Raises InvalidRequestError and its kin."""
    forms.refuse_unknown(fields, _KNOWN)
    forms.refuse_unless_neutral(fields, _NEUTRAL)
    wanted = {name: fields[name] for name in _SAME if fields.get(name) is not None}
    wanted["messages"] = [_message(turn, f"messages[{place}]") for place, turn in enumerate(_turns(fields))]
    wanted["deadline_seconds"] = fields.get("deadline_seconds") or deadline_seconds
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    if limit is not None:
        wanted["max_tokens"] = limit
    if fields.get("response_format") is not None:
        wanted["response_format"] = _response_format(fields["response_format"])
    return forms.parse(requests.TextRequest, wanted)


def _turns(fields: Mapping[str, Any]) -> list[Any]:
    turns = fields.get("messages")
    if turns is None:
        raise errors.MissingFieldError("messages is missing.", param="messages")
    if not isinstance(turns, list):
        raise errors.InvalidRequestError("messages must be a list.", param="messages", accepted=["array"])
    return turns


def _message(turn: object, param: str) -> dict[str, Any]:
    """A turn with its text parts joined. Raises for what is not text: pictures, tool calls."""
    if not isinstance(turn, dict):
        raise errors.InvalidRequestError("Each message must be an object.", param=param, accepted=["object"])
    role = "system" if turn.get("role") == "developer" else turn.get("role")
    return {"role": role, "content": text_of(turn.get("content"), f"{param}.content")}


def text_of(content: object, param: str) -> object:
    """A string, or text parts joined to one; what is neither is left for the request's own check to name."""
    if not isinstance(content, list):
        return content
    texts = []
    for place, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") not in ("text", "input_text", "output_text"):
            raise errors.UnsupportedValueError(
                "Only text parts are taken here.", param=f"{param}[{place}].type", accepted=["text"]
            )
        texts.append(str(part.get("text", "")))
    return "\n".join(texts)


def _response_format(form: object) -> object:
    """`strict` may be null there, and a description is for the model only."""
    if not isinstance(form, dict) or not isinstance(form.get("json_schema"), dict):
        return form
    schema = {name: value for name, value in form["json_schema"].items() if name != "description"}
    return form | {"json_schema": schema | {"strict": bool(schema.get("strict"))}}


Failed = Callable[[errors.GenqueueError], bytes]


@dataclass(frozen=True, slots=True)
class Voice:
    """What differs from dialect to dialect: late failures as a JSON body and as an event's data, and the header that
    carries the job's id.
    """

    failed: Failed
    failed_event: Failed
    id_header: str = "X-Genqueue-Job-Id"


async def answer(
    request: fastapi.Request,
    given: parts.Parts,
    caller: auth.Caller,
    fields: Mapping[str, Any],
    voice: Voice,
) -> fastapi.Response:
    """Accept the chat as a text job, wait for its end and answer it, whole or in pieces (`stream`)."""
    text = request_of(fields, given.settings.held_answer_seconds)
    key = idempotency.for_body(request, requests.store(text))
    receipt = await accepting.accept(given, caller, states.Kind.TEXT, text, key)
    options = fields.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    form = _streamed(given, voice, with_usage=with_usage) if fields.get("stream") else _whole(given, voice)
    return await held.answer(held.Wait(given, caller.tenant_id, receipt.job.id), form)


def _whole(given: parts.Parts, voice: Voice) -> held.Form:
    async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
        yield orjson.dumps(completion(view, await output_services.read_text(given.store, view.outputs)))

    return held.Form("application/json", b" ", body, voice.failed, voice.id_header)


def _streamed(given: parts.Parts, voice: Voice, *, with_usage: bool) -> held.Form:
    async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
        text = await output_services.read_text(given.store, view.outputs)
        for chunk in chunks(view, text, with_usage=with_usage):
            yield event(orjson.dumps(chunk))
        yield DONE

    return held.Form(
        "text/event-stream", KEEP_ALIVE, body, lambda error: event(voice.failed_event(error)), voice.id_header
    )


def event(data: bytes) -> bytes:
    """One event of a stream: data and nothing else."""
    return b"data: " + data + b"\n\n"


def completion(view: jobs.JobView, text: str) -> dict[str, Any]:
    """The whole answer."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return _head(view, "chat.completion") | {"system_fingerprint": None, "choices": [choice], "usage": usage(view)}


def chunks(view: jobs.JobView, text: str, *, with_usage: bool) -> Iterator[dict[str, Any]]:
    """The answer in pieces. The text is whole by then: no provider's stream is passed on."""
    head = _head(view, "chat.completion.chunk")
    yield head | {"choices": [_delta({"role": "assistant", "content": ""})]}
    for piece in pieces(text):
        yield head | {"choices": [_delta({"content": piece})]}
    yield head | {"choices": [_delta({}, "stop")]}
    if with_usage:
        yield head | {"choices": [], "usage": usage(view)}


def _delta(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


def pieces(text: str) -> Iterator[str]:
    """The text cut after words; joined again it is the same."""
    place = 0
    while place < len(text):
        end = place + PIECE_CHARACTERS
        space = text.rfind(" ", place, end) if end < len(text) else -1
        end = space + 1 if space > place else end
        yield text[place:end]
        place = end


def _head(view: jobs.JobView, kind: str) -> dict[str, Any]:
    job = view.job
    return {
        "id": job.id,
        "object": kind,
        "created": int(job.created_at.timestamp()),
        "model": job.served_model or job.model,
        "provider": job.served_provider or "",
    }


def tokens(view: jobs.JobView) -> outputs.Usage:
    """What the attempt that succeeded used; zeros if its provider does not say."""
    used = [attempt.usage for attempt in view.attempts if attempt.usage is not None]
    return used[-1] if used else outputs.Usage()


def usage(view: jobs.JobView) -> dict[str, Any]:
    """Tokens, and US dollars for all attempts together."""
    used = tokens(view)
    return {
        "prompt_tokens": used.input_tokens,
        "completion_tokens": used.output_tokens,
        "total_tokens": used.input_tokens + used.output_tokens,
        "cost": view.job.cost_micros / 1_000_000,
    }
