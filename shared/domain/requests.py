"""What a caller may ask for: the body of `POST /v1/videos`, `/v1/images`, `/v1/texts` and `/v1/embeddings`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import jsonschema
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.domain import envelopes, events, faults, states

PROMPT_CHARACTERS = 32_000

Slug = Annotated[str, Field(min_length=1, max_length=200)]
Prompt = Annotated[str, Field(min_length=1, max_length=PROMPT_CHARACTERS, pattern=r"\S")]
MetadataKey = Annotated[str, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]
PixelSize = Annotated[str, Field(pattern=r"^[1-9]\d{1,4}x[1-9]\d{1,4}$", examples=["1280x720"])]
Url = Annotated[str, Field(min_length=1, max_length=8192)]


class Strict(BaseModel):
    """No unknown fields, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MaxPrice(Strict):
    """The most one unit may cost, in USD; dearer endpoints are left out."""

    second: Annotated[float | None, Field(ge=0)] = None
    image: Annotated[float | None, Field(ge=0)] = None
    prompt: Annotated[float | None, Field(ge=0, description="USD per million input tokens")] = None
    completion: Annotated[float | None, Field(ge=0, description="USD per million output tokens")] = None
    request: Annotated[float | None, Field(ge=0)] = None


class ProviderOptions(Strict):
    """Which endpoints may serve this request, in OpenRouter's words."""

    order: list[Slug] | None = None
    only: list[Slug] | None = None
    ignore: list[Slug] | None = None
    allow_fallbacks: bool = True
    require_parameters: bool = False
    data_collection: Literal["allow", "deny"] = "allow"
    zdr: bool = False
    sort: Literal["price", "latency", "throughput"] | None = None
    max_price: MaxPrice | None = None


class Request(Strict):
    """The fields every kind has."""

    model: Annotated[Slug, Field(examples=["sandbox/video"])]
    models: Annotated[list[Slug], Field(max_length=10, description="Asked in turn when `model` fails")] = []
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)] = {}
    priority: Annotated[int, Field(ge=0, le=9, description="9 goes first")] = 5
    deadline_seconds: Annotated[int | None, Field(ge=1, le=7 * 86400)] = None
    on_doubt: Annotated[states.OnDoubt | None, Field(strict=False)] = None
    fallback_on: Annotated[
        list[Annotated[faults.FaultKind, Field(strict=False)]],
        Field(max_length=2, description="Also fall back on these faults of the caller's own"),
    ] = []
    provider: ProviderOptions = ProviderOptions()
    max_cost: Annotated[
        float | None, Field(ge=0, le=1_000_000, description="USD: all attempts together; dearer endpoints are left out")
    ] = None
    store: Annotated[
        bool, Field(description="false: prompt and result are deleted once collected, or after an hour")
    ] = True
    retention_seconds: Annotated[
        int | None,
        Field(ge=60, le=10 * 366 * 86400, description="How long outputs are kept; your tenant's limit holds"),
    ] = None
    webhook_url: Annotated[
        Url | None, Field(description="Where this job's events go, besides your registered receivers")
    ] = None
    webhook_events: Annotated[
        list[Annotated[events.EventType, Field(strict=False)]] | None,
        Field(min_length=1, max_length=20, description="Which of them; unset: the ends (completed, failed, …)"),
    ] = None
    webhook_format: Annotated[
        envelopes.Envelope, Field(strict=False, description="Whose envelope and signature its events come in")
    ] = envelopes.Envelope.STANDARD

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> Self:
        if self.webhook_events is not None and self.webhook_url is None:
            raise ValueError("webhook_events needs a webhook_url")
        wrong = [event for event in self.webhook_events or () if event not in events.OF_JOBS]
        if wrong:
            known = ", ".join(sorted(events.OF_JOBS))
            raise ValueError(f"webhook_events of a job may be {known}, not {wrong[0].value}")
        return self

    def asked_models(self) -> list[str]:
        """`model`, then `models`, each once, in order."""
        return list(dict.fromkeys([self.model, *self.models]))

    def input_urls(self) -> list[tuple[str, str]]:
        """The URLs of the pictures that come with it, each after the field that holds it."""
        return []


class ImageUrl(Strict):
    """Where an input image is: an https URL or a `data:image/…;base64,` URL."""

    url: Annotated[str, Field(min_length=1, max_length=7_000_000)]


class FrameImage(Strict):
    """An image the video starts or ends with."""

    type: Literal["image_url"] = "image_url"
    image_url: ImageUrl
    frame_type: Literal["first_frame", "last_frame"]


class InputReference(Strict):
    """An image the output should resemble."""

    type: Literal["image_url"] = "image_url"
    image_url: ImageUrl


def _urls(field: str, pictures: Sequence[FrameImage | InputReference]) -> list[tuple[str, str]]:
    return [(f"{field}[{place}].image_url.url", picture.image_url.url) for place, picture in enumerate(pictures)]


class VideoRequest(Request):
    """Ask for a video."""

    prompt: Prompt
    duration: Annotated[int | None, Field(ge=1, le=3600, description="Seconds")] = None
    resolution: Annotated[str | None, Field(max_length=16, examples=["720p"])] = None
    aspect_ratio: Annotated[str | None, Field(max_length=16, examples=["16:9"])] = None
    size: PixelSize | None = None
    seed: Annotated[int | None, Field(ge=0, lt=2**53)] = None
    frame_images: Annotated[list[FrameImage], Field(max_length=2)] = []
    input_references: Annotated[list[InputReference], Field(max_length=16)] = []
    generate_audio: bool | None = None
    n: Annotated[int, Field(ge=1, le=4)] = 1

    def input_urls(self) -> list[tuple[str, str]]:
        """As for every request."""
        return [*_urls("frame_images", self.frame_images), *_urls("input_references", self.input_references)]


class ImageRequest(Request):
    """Ask for one or more images."""

    prompt: Prompt
    size: PixelSize | None = None
    n: Annotated[int, Field(ge=1, le=10)] = 1
    seed: Annotated[int | None, Field(ge=0, lt=2**53)] = None
    format: Annotated[str | None, Field(max_length=16, examples=["png"])] = None
    input_references: Annotated[list[InputReference], Field(max_length=16)] = []

    def input_urls(self) -> list[tuple[str, str]]:
        """As for every request."""
        return _urls("input_references", self.input_references)


class Message(Strict):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Prompt


class JsonSchema(Strict):
    """A JSON schema (draft 2020-12) the answer must fit."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool = True

    @model_validator(mode="after")
    def _is_a_schema(self) -> "JsonSchema":
        try:
            jsonschema.Draft202012Validator.check_schema(self.schema_)
        except jsonschema.SchemaError as error:
            raise ValueError(f"this is not a JSON schema: {error.message[:200]}") from None
        return self


class ResponseFormat(Strict):
    """How the answer must look."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _schema_goes_with_its_type(self) -> "ResponseFormat":
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("json_schema is needed with type 'json_schema', and only then")
        return self


class TextRequest(Request):
    """Ask for a text: `prompt` for a single turn, `messages` for a conversation."""

    prompt: Prompt | None = None
    messages: Annotated[list[Message] | None, Field(min_length=1, max_length=1000)] = None
    max_tokens: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**53)] = None
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _prompt_or_messages(self) -> "TextRequest":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("send either prompt or messages")
        return self

    def turns(self) -> list[Message]:
        """The conversation, whichever way it was sent."""
        return self.messages or [Message(role="user", content=self.prompt or "")]

    def characters(self) -> int:
        """How long the conversation is."""
        return sum(len(turn.content) for turn in self.messages or ()) or len(self.prompt or "")


class EmbeddingRequest(Request):
    """Ask for one vector for each text."""

    input: Annotated[list[Prompt], Field(min_length=1, max_length=2048)]
    dimensions: Annotated[int | None, Field(ge=1, le=16_384, description="How long each vector is to be")] = None


AnyRequest = VideoRequest | ImageRequest | TextRequest | EmbeddingRequest

BY_KIND: dict[states.Kind, type[VideoRequest] | type[ImageRequest] | type[TextRequest] | type[EmbeddingRequest]] = {
    states.Kind.VIDEO: VideoRequest,
    states.Kind.IMAGE: ImageRequest,
    states.Kind.TEXT: TextRequest,
    states.Kind.EMBEDDING: EmbeddingRequest,
}


def parse(kind: states.Kind, stored: dict[str, Any]) -> AnyRequest:
    """The request as it was accepted, read back from the database."""
    return BY_KIND[kind].model_validate(stored)


def store(request: AnyRequest) -> dict[str, Any]:
    """The request as JSON for the database; `parse` reads it back unchanged."""
    return request.model_dump(mode="json", by_alias=True, exclude_defaults=True)
