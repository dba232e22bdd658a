"""What a request comes to once the model's defaults are filled in."""

from shared.domain import models, pricing, requests, requirements, sizes


def pixels(model: models.Model, request: requests.AnyRequest) -> sizes.Pixels | None:
    """Width and height to ask for; None for text. Raises UnsupportedValueError when fields contradict each other."""
    if isinstance(request, requests.VideoRequest):
        return sizes.of_video(model, request)
    if isinstance(request, requests.ImageRequest):
        return sizes.of_image(model, request)
    return None


def seconds(model: models.Model, request: requests.AnyRequest) -> int | None:
    """The length to ask for; None unless a video."""
    if not isinstance(request, requests.VideoRequest):
        return None
    return request.duration or pricing.default_seconds(model)


def without(request: requests.AnyRequest, endpoint: models.Endpoint | None) -> requests.AnyRequest:
    """The request as this endpoint takes it: parameters it does not support are left out, unless it takes them all."""
    if endpoint is None or endpoint.parameters is None:
        return request
    dropped = [name for name in requirements.asked_parameters(request) if name not in endpoint.parameters]
    fields = type(request).model_fields
    return request.model_copy(update={name: fields[name].get_default() for name in dropped}) if dropped else request
