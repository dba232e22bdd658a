"""Whether a model offers what a request asks for: bad input is refused before anything is stored (promise P10)."""

from collections.abc import Sequence

from shared import errors
from shared.domain import models, requests, sizes, states

_CHOICES = {
    "duration": "durations",
    "resolution": "resolutions",
    "aspect_ratio": "aspect_ratios",
    "size": "sizes",
    "format": "formats",
}
# What a model may take or not; endpoints of the same model may differ in it.
OPTIONAL = (
    "seed",
    "generate_audio",
    "frame_images",
    "input_references",
    "temperature",
    "response_format",
    "max_tokens",
    "dimensions",
)


def check(model: models.Model, kind: states.Kind, request: requests.AnyRequest, param: str) -> None:
    """Raise the first fault found: WrongKindError, or UnsupportedValueError naming field and accepted values."""
    if model.kind is not kind:
        raise errors.WrongKindError(
            f"{model.id} makes {model.kind}; POST it to /v1/{model.kind}s.", param=param, accepted=[kind]
        )
    _check_choices(model, request)
    sizes.asked(request)  # raises if size, resolution and shape contradict each other
    _check_parameters(model, request)
    _check_prompt(model, request)
    n = getattr(request, "n", 1)
    if n > model.max_n:
        raise errors.UnsupportedValueError(
            f"{model.id} makes at most {model.max_n} at once.",
            param="n",
            accepted=list(range(1, model.max_n + 1)),
        )


def _check_choices(model: models.Model, request: requests.AnyRequest) -> None:
    # Which fields there are is asked of the class: to look for one in vain takes pydantic a microsecond.
    known = type(request).model_fields
    for field, choice in _CHOICES.items():
        value, offered = getattr(request, field) if field in known else None, getattr(model, choice)
        if value is not None and value not in offered:
            raise _unsupported(model, field, value, offered)


def asked_parameters(request: requests.AnyRequest) -> tuple[str, ...]:
    """The optional parameters a request really asks for."""
    # Fields nobody set are skipped first: this is asked for every request that is routed.
    return tuple(
        field for field in OPTIONAL if field in request.model_fields_set and _is_asked(getattr(request, field))
    )


def _is_asked(value: object) -> bool:
    # A seed of 0 is asked for; no audio and no images are what a model without them gives anyway.
    return value is not None and value is not False and value != []


def _check_parameters(model: models.Model, request: requests.AnyRequest) -> None:
    for field in asked_parameters(request):
        if field not in model.parameters:
            raise errors.UnsupportedValueError(
                f"{model.id} does not take {field}.", param=field, accepted=sorted(model.parameters)
            )


def _check_prompt(model: models.Model, request: requests.AnyRequest) -> None:
    if isinstance(request, requests.TextRequest):
        length, field = (
            request.characters(),
            "prompt" if request.prompt else "messages",
        )
    elif isinstance(request, requests.EmbeddingRequest):
        length, field = max(len(text) for text in request.input), "input"
    else:
        length, field = len(request.prompt), "prompt"
    if length > model.max_prompt_characters:
        raise errors.UnsupportedValueError(
            f"The prompt has {length} characters; {model.id} takes {model.max_prompt_characters}.",
            param=field,
        )


def _unsupported(
    model: models.Model, field: str, value: object, offered: Sequence[object]
) -> errors.UnsupportedValueError:
    sentence = f"{model.id} does not offer {field} {value}."
    if not offered:
        sentence = f"{model.id} has no choice of {field}; leave it out."
    return errors.UnsupportedValueError(sentence, param=field, accepted=offered)
