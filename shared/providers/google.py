"""Google's Gemini API: Veo by polling an operation; pictures and texts on the held line."""

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from shared.domain import faults, models, outputs, requests, shapes, states
from shared.providers import base, bills, dialects, http, inputs, outcomes, plain

_K = faults.FaultKind
# A route of an image model: Imagen's :predict instead of generateContent.
BY_PREDICT = "predict"
KINDS = {
    "API_KEY_INVALID": _K.AUTH,  # comes with a plain 400 INVALID_ARGUMENT
    "UNAUTHENTICATED": _K.AUTH,
    "PERMISSION_DENIED": _K.AUTH,
    "INVALID_ARGUMENT": _K.INVALID_INPUT,
    "FAILED_PRECONDITION": _K.INVALID_INPUT,
    "NOT_FOUND": _K.NOT_FOUND,
    "RESOURCE_EXHAUSTED": _K.THROTTLED,
    # The numbers of an operation's error (google.rpc.Code).
    "3": _K.INVALID_INPUT,
    "7": _K.AUTH,
    "8": _K.THROTTLED,
    "16": _K.AUTH,
}
_MODERATED = frozenset(
    {"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"}
)


def complaint(body: Mapping[str, Any]) -> dialects.Complaint:
    """Google's error; RetryInfo among its details says how long to wait."""
    found = dialects.complaint(body)
    details = (body.get("error") or {}).get("details") or []
    delays = [str(item.get("retryDelay", "")) for item in details if isinstance(item, dict)]
    seconds = [float(text[:-1]) for text in delays if text.endswith("s") and _is_number(text[:-1])]
    return dialects.Complaint(
        found.codes, found.message, min(seconds[0], http.LONGEST_WAIT_SECONDS) if seconds else None
    )


class GoogleAdapter(plain.PlainAdapter):
    """No search, no cancel, no key for repeats: class N."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"n", "frame_images", "input_references"}),
            states.Kind.IMAGE: frozenset({"input_references"}),
            states.Kind.TEXT: frozenset({"seed", "max_tokens", "temperature", "response_format"}),
        }
    )
    dialect: ClassVar = dialects.Dialect(kinds=KINDS, read=complaint)
    visits: ClassVar = (plain.Visit("/v1beta/models?pageSize=1000", "models", "name"),)

    def headers(self) -> dict[str, str]:
        """See plain.PlainAdapter."""
        return {"x-goog-api-key": self.connection.key}

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        model = f"/v1beta/models/{plain.escaped(ask.upstream_model)}"
        if ask.kind is states.Kind.VIDEO:
            return plain.Order(f"{model}:predictLongRunning", _accepted, _video(ask), under="parameters")
        if ask.route == BY_PREDICT:
            body, read, under, verb = _imagen(ask), _predicted, "parameters", "predict"
        else:
            body, read, under, verb = _content(ask), _generated, "generationConfig", "generateContent"
        return plain.Order(f"{model}:{verb}", read, body, seconds=http.GENERATE_SECONDS, under=under)

    def place(self, upstream_id: str) -> str:
        """The id is the operation's name, a path below the version."""
        return f"/v1beta/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """Done with nothing made is a failure if the filter did it, and an empty result if nobody says why."""
        body = reply.body
        if not body.get("done"):
            return base.Running()
        if body.get("error"):
            found = complaint(body)
            return base.Failed(self.dialect.named(found.codes, found.message or "The provider failed."))
        made = body["response"].get("generateVideoResponse") or {}
        samples = made.get("generatedSamples") or []
        if not samples and made.get("raiMediaFilteredCount"):
            reasons = "; ".join(map(str, made.get("raiMediaFilteredReasons") or []))
            return base.Failed(faults.Fault(_K.CONTENT_POLICY, reasons[:500] or "The provider filtered the video."))
        return base.Finished(tuple(_film(sample["video"]) for sample in samples), None, outcomes.name(body["name"]))

    def download_headers(self, url: str) -> dict[str, str]:
        """Files are given out only with the key; the redirect to another host gets none."""
        return self.headers() if self.is_own(url) else {}


def _video(ask: base.Ask) -> dict[str, Any]:
    request = ask.request
    first, last = inputs.first_frame(request), inputs.last_frame(request)
    instance = {
        "prompt": getattr(request, "prompt", ""),
        "image": _picture(first) if first else None,
        "lastFrame": _picture(last) if last else None,
        "referenceImages": [{"image": _picture(url), "referenceType": "asset"} for url in inputs.references(request)]
        or None,
    }
    parameters = {
        "sampleCount": getattr(request, "n", 1),
        "durationSeconds": ask.seconds,
        "aspectRatio": shapes.aspect_ratio(request, ask.pixels, ("16:9", "9:16")) if ask.pixels else None,
        "resolution": shapes.resolution(request, ask.pixels) if ask.pixels else None,
    }
    body: dict[str, Any] = {"instances": [plain.given(instance)], "parameters": parameters}
    return body | ({"webhookConfig": {"uris": [ask.callback_url]}} if ask.callback_url else {})


def _picture(url: str) -> dict[str, str]:
    media_type, encoded = inputs.inline(url)
    return {"bytesBase64Encoded": encoded, "mimeType": media_type}


def _imagen(ask: base.Ask) -> dict[str, Any]:
    shape = shapes.aspect_ratio(ask.request, ask.pixels, ("1:1", "3:4", "4:3", "9:16", "16:9")) if ask.pixels else None
    return {
        "instances": [{"prompt": getattr(ask.request, "prompt", "")}],
        "parameters": {"aspectRatio": shape},
    }


def _content(ask: base.Ask) -> dict[str, Any]:
    if isinstance(ask.request, requests.TextRequest):
        return _conversation(ask.request)
    parts: list[dict[str, Any]] = [{"text": getattr(ask.request, "prompt", "")}]
    for url in inputs.references(ask.request):
        media_type, encoded = inputs.inline(url)
        parts.append({"inlineData": {"mimeType": media_type, "data": encoded}})
    shape = {"aspectRatio": shapes.aspect_ratio(ask.request, ask.pixels)} if ask.pixels else None
    config = {"responseModalities": ["IMAGE"], "imageConfig": shape}
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


def _conversation(request: requests.TextRequest) -> dict[str, Any]:
    turns = request.turns()
    form = request.response_format
    config = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
        "responseMimeType": "application/json" if form and form.type != "text" else None,
        "responseJsonSchema": form.json_schema.schema_ if form and form.json_schema else None,
    }
    system = [{"text": turn.content} for turn in turns if turn.role == "system"]
    contents = [
        {"role": "model" if turn.role == "assistant" else "user", "parts": [{"text": turn.content}]}
        for turn in turns
        if turn.role != "system"
    ]
    body: dict[str, Any] = {"contents": contents, "generationConfig": config}
    return body | ({"systemInstruction": {"parts": system}} if system else {})


def _accepted(reply: http.Reply) -> base.SubmitOutcome:
    return base.Accepted(outcomes.name(reply.body["name"]))


def _predicted(reply: http.Reply) -> base.SubmitOutcome:
    found = [item for item in reply.body.get("predictions") or [] if "bytesBase64Encoded" in item]
    filtered = [str(item["raiFilteredReason"]) for item in reply.body.get("predictions") or [] if item not in found]
    if filtered and not found:
        return base.Failed(faults.Fault(_K.CONTENT_POLICY, filtered[0][:500]))
    return base.Finished(tuple(_inline(item["mimeType"], item["bytesBase64Encoded"]) for item in found))


def _generated(reply: http.Reply) -> base.SubmitOutcome:
    body = reply.body
    blocked = (body.get("promptFeedback") or {}).get("blockReason")
    if blocked and not body.get("candidates"):
        return base.Failed(faults.Fault(_K.CONTENT_POLICY, f"The provider blocked the prompt: {blocked}."))
    candidate = body["candidates"][0]
    parts = [part for part in (candidate.get("content") or {}).get("parts") or [] if not part.get("thought")]
    pictures = [
        _inline(part["inlineData"]["mimeType"], part["inlineData"]["data"]) for part in parts if "inlineData" in part
    ]
    text = "".join(part.get("text", "") for part in parts)
    if not pictures and candidate.get("finishReason") in _MODERATED:
        return base.Failed(faults.Fault(_K.CONTENT_POLICY, f"The provider stopped: {candidate['finishReason']}."))
    texts = [outputs.Source(media_type="text/plain", text=text)] if text and not pictures else []
    return base.Finished(tuple(pictures or texts), _usage(body.get("usageMetadata") or {}))


def _usage(found: Mapping[str, Any]) -> outputs.Usage:
    return outputs.Usage(
        input_tokens=bills.count(found.get("promptTokenCount")),
        output_tokens=bills.count(found.get("candidatesTokenCount")) + bills.count(found.get("thoughtsTokenCount")),
    )


def _film(video: Mapping[str, Any]) -> outputs.Source:
    if video.get("encodedVideo"):
        return _inline(str(video.get("encoding") or "video/mp4"), video["encodedVideo"])
    return outputs.Source(media_type="video/mp4", url=outcomes.name(video["uri"]))


def _inline(media_type: str, encoded: str) -> outputs.Source:
    return outputs.Source(media_type=media_type, body=base64.b64decode(encoded, validate=True))


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
