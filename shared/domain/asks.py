"""What a request comes to once the model's defaults are filled in."""

from shared.domain import models, pricing, requests, sizes


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
