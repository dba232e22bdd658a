"""`/openai/v1/responses`: texts, in the background (polled by id) or waited for. Nothing streams."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, Any

import fastapi
import orjson

from api import accepting, auth, bodies, chats, forms, held, idempotency, parts, routing
from api import errors as api_errors
from api.openai import errors, response_answers
from shared import clock
from shared import errors as faults
from shared.domain import requests, states
from shared.services import jobs
from shared.services import outputs as output_services

router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.DialectRoute, include_in_schema=False)

_SAME = ("model", "models", "temperature", "seed", "metadata", "provider", "priority", "on_doubt", "fallback_on")
_NEUTRAL: Mapping[str, Sequence[object]] = {
    "stream": (False,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "top_p": (1,),
    "top_logprobs": (0,),
    "previous_response_id": (),
    "conversation": (),
    "prompt": (),
    "reasoning": (),
    "include": ([],),
    "truncation": ("disabled",),
    "max_tool_calls": (),
}
_IGNORED = (
    "background",
    "background_options",
    "store",
    "user",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "parallel_tool_calls",
    "stream_options",
)
_KNOWN = (*_SAME, *_NEUTRAL, *_IGNORED, "input", "instructions", "max_output_tokens", "text", "deadline_seconds")


@router.post("/responses")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """A text job. `background: true` answers at once, else the answer waits for the end."""
    bodies.check_media_type(request)
    fields = await bodies.JsonRequest(request.scope, request.receive).json()
    background = fields.get("background") is True
    text = _text(fields, None if background else given.settings.held_answer_seconds)
    key = idempotency.for_body(request, [requests.store(text), background])
    receipt = await accepting.accept(given, caller, states.Kind.TEXT, text, key)
    if background:
        view = await _find(given, caller, receipt.job.id)
        return fastapi.Response(orjson.dumps(await _written(given, view)), 200, media_type="application/json")
    request_id = api_errors.request_id(request.scope)
    form = held.Form(
        "application/json", b" ", _body(given), lambda error: orjson.dumps(errors.envelope(error, request_id))
    )
    return await held.answer(held.Wait(given, caller.tenant_id, receipt.job.id), form)


def _body(given: parts.Parts) -> Callable[[jobs.JobView], AsyncIterator[bytes]]:
    async def body(view: jobs.JobView) -> AsyncIterator[bytes]:
        yield orjson.dumps(await _written(given, view, background=False))

    return body


def _text(fields: Mapping[str, Any], deadline_seconds: int | None) -> requests.TextRequest:
    forms.refuse_unknown(fields, _KNOWN)
    forms.refuse_unless_neutral(fields, _NEUTRAL)
    wanted = {name: fields[name] for name in _SAME if fields.get(name) is not None}
    wanted["messages"] = _messages(fields)
    wanted["max_tokens"] = fields.get("max_output_tokens")
    wanted["deadline_seconds"] = fields.get("deadline_seconds") or deadline_seconds
    form = (fields.get("text") or {}).get("format")
    if isinstance(form, dict):
        wanted["response_format"] = _response_format(form)
    return forms.parse(requests.TextRequest, wanted)


def _messages(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    asked = fields.get("input")
    if asked is None:
        raise faults.MissingFieldError("input is missing.", param="input")
    turns = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
    if fields.get("instructions"):
        turns = [{"role": "system", "content": fields["instructions"]}, *turns]
    return [_message(turn, place) for place, turn in enumerate(turns)]


def _message(turn: object, place: int) -> dict[str, Any]:
    if not isinstance(turn, dict) or turn.get("type", "message") != "message":
        raise faults.UnsupportedValueError(
            "Only messages are taken as input.", param=f"input[{place}].type", accepted=["message"]
        )
    role = "system" if turn.get("role") == "developer" else turn.get("role")
    return {"role": role, "content": chats.text_of(turn.get("content"), f"input[{place}].content")}


def _response_format(form: Mapping[str, Any]) -> dict[str, Any]:
    """Here the schema lies beside the type, not in an object of its own."""
    if form.get("type") != "json_schema":
        return {"type": form.get("type")}
    schema = {"name": form.get("name"), "schema": form.get("schema"), "strict": bool(form.get("strict"))}
    return {"type": "json_schema", "json_schema": schema}


@router.get("/responses/{response_id}")
async def retrieve(
    response_id: str,
    caller: auth.Authenticated,
    given: parts.Given,
    stream: Annotated[bool, fastapi.Query()] = False,
) -> dict[str, Any]:
    """A response as it is now."""
    if stream:
        raise faults.UnsupportedValueError("Responses are not streamed here; poll.", param="stream", accepted=[False])
    return await _written(given, await _find(given, caller, response_id))


@router.post("/responses/{response_id}/cancel")
async def cancel(response_id: str, caller: auth.Submitter, given: parts.Given) -> dict[str, Any]:
    """Cancel a response that is not over."""
    await _find(given, caller, response_id)
    view = await jobs.request_cancel(given.db, caller.tenant_id, response_id, clock.now())
    if view.job.status in states.ACTIVE:
        given.hints.give()
    given.news.tell(response_id, caller.tenant_id)
    return await _written(given, await _find(given, caller, response_id))


@router.delete("/responses/{response_id}")
async def delete(response_id: str, caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """Delete what was answered; a response that is not over is to be cancelled first."""
    await _find(given, caller, response_id)
    await jobs.delete(given.db, given.store, caller.tenant_id, response_id, clock.now())
    return {"id": response_id, "object": "response", "deleted": True}


@router.get("/responses/{response_id}/input_items")
async def input_items(response_id: str, caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """What was asked, as messages."""
    view = await _find(given, caller, response_id)
    return response_answers.items(view)


async def _written(given: parts.Parts, view: jobs.JobView, *, background: bool = True) -> dict[str, Any]:
    completed = view.job.status is states.JobStatus.COMPLETED
    text = await output_services.read_text(given.store, view.outputs) if completed else None
    return response_answers.of_view(view, text, background=background)


async def _find(given: parts.Parts, caller: auth.Caller, response_id: str) -> jobs.JobView:
    view = await jobs.get(given.db, caller.tenant_id, response_id, with_request=True)
    if view.job.kind is not states.Kind.TEXT or view.job.deleted_at is not None:
        raise faults.NotFoundError(f"Response with id '{response_id[:64]}' not found.", param="response_id")
    return view
