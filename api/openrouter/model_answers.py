"""Models as the OpenRouter clients read them. One missing key makes their whole list unreadable."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from api import parts
from shared.domain import models, pricing, states

# The catalog keeps no dates of models, and their clients insist on one.
CREATED = 0

_UNITS = {
    models.Unit.SECOND: "duration_seconds",
    models.Unit.IMAGE: "image",
    models.Unit.REQUEST: "request",
    models.Unit.INPUT_TOKEN: "prompt",
    models.Unit.OUTPUT_TOKEN: "completion",
}
_BILLABLES = {
    models.Unit.IMAGE: ("output_image", "image"),
    models.Unit.REQUEST: ("output_image", "request"),
    models.Unit.INPUT_TOKEN: ("input_text", "token"),
    models.Unit.OUTPUT_TOKEN: ("output_image", "token"),
}
_PICTURED = ("input_references", "frame_images")


def video(model: models.Model) -> dict[str, Any]:
    """A model that makes videos."""
    prices = model.endpoints[0].prices if model.endpoints else ()
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "name": model.name,
        "description": model.description,
        "created": CREATED,
        "supported_resolutions": list(model.resolutions) or None,
        "supported_aspect_ratios": list(model.aspect_ratios) or None,
        "supported_sizes": list(model.sizes) or None,
        "supported_durations": list(model.durations) or None,
        "supported_frame_images": ["first_frame", "last_frame"] if "frame_images" in model.parameters else None,
        "upscale_factor": None,
        "creativity": None,
        "generate_audio": "generate_audio" in model.parameters,
        "seed": "seed" in model.parameters,
        "pricing_skus": {_sku(price): _usd(price.usd) for price in prices},
        "allowed_passthrough_parameters": [],
    }


def _sku(price: models.Price) -> str:
    return "_".join(word for word in (_UNITS[price.unit], price.resolution, price.size) if word)


def image(model: models.Model) -> dict[str, Any]:
    """A model that makes pictures."""
    return {
        "id": model.id,
        "name": model.name,
        "description": model.description,
        "created": CREATED,
        "architecture": {"input_modalities": _inputs(model), "output_modalities": ["image"]},
        "supported_parameters": _descriptors(model),
        "supports_streaming": False,
        "endpoints": f"/api/v1/images/models/{model.id}/endpoints",
    }


def _descriptors(model: models.Model) -> dict[str, Any]:
    found: dict[str, Any] = {"n": {"type": "range", "min": 1, "max": model.max_n}}
    if model.sizes:
        found["size"] = {"type": "enum", "values": list(model.sizes)}
    if model.formats:
        found["output_format"] = {"type": "enum", "values": list(model.formats)}
    return found | {name: {"type": "boolean"} for name in model.parameters}


def image_endpoints(model: models.Model) -> dict[str, Any]:
    """Where a picture model can be had."""
    return {"id": model.id, "endpoints": [_image_endpoint(model, endpoint) for endpoint in model.endpoints]}


def _image_endpoint(model: models.Model, endpoint: models.Endpoint) -> dict[str, Any]:
    billed = [(price, *_BILLABLES[price.unit]) for price in endpoint.prices if price.unit in _BILLABLES]
    return {
        "provider_name": endpoint.provider,
        "provider_slug": endpoint.provider,
        "provider_tag": None,
        "supported_parameters": _descriptors(model),
        "allowed_passthrough_parameters": [],
        "supports_streaming": False,
        "pricing": [
            {"billable": billable, "unit": unit, "cost_usd": float(price.usd)} for price, billable, unit in billed
        ],
    }


def model(given: parts.Parts, of: models.Model) -> dict[str, Any]:
    """A model of any kind."""
    return {
        "id": of.id,
        "canonical_slug": of.id,
        "name": of.name,
        "description": of.description,
        "created": CREATED,
        "context_length": _context_length(of),
        "architecture": _architecture(of),
        "pricing": _pricing(of.endpoints[0].prices if of.endpoints else ()),
        "top_provider": {"is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": list(of.parameters),
        "supported_voices": None,
        "default_parameters": None,
        "links": {"details": given.url(f"/api/v1/models/{of.id}/endpoints")},
    }


def with_endpoints(of: models.Model) -> dict[str, Any]:
    """A model with all its endpoints."""
    return {
        "id": of.id,
        "name": of.name,
        "description": of.description,
        "created": CREATED,
        "architecture": _architecture(of) | {"instruct_type": None, "tokenizer": None},
        "endpoints": [_endpoint(of, endpoint) for endpoint in of.endpoints],
    }


def _endpoint(of: models.Model, endpoint: models.Endpoint) -> dict[str, Any]:
    unmeasured = ("latency_last_30m", "throughput_last_30m", "uptime_last_5m", "uptime_last_30m", "uptime_last_1d")
    return dict.fromkeys(unmeasured) | {
        "name": endpoint.name_for(of.id),
        "model_id": of.id,
        "model_name": of.name,
        "provider_name": endpoint.provider,
        "tag": endpoint.provider,
        "context_length": _context_length(of),
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "pricing": _pricing(endpoint.prices),
        "quantization": None,
        "service_tier": None,
        "supported_parameters": list(of.parameters),
        "supports_tool_choice": {"auto": False, "function": False, "none": False, "required": False},
        "supports_implicit_caching": False,
        "supports_diarization": False,
        "native_tools": {},
        "status": 0 if endpoint.enabled else -10,
    }


def _pricing(prices: Iterable[models.Price]) -> dict[str, str]:
    """US dollars for one unit each; a video's price by the second is in `videos/models`."""
    known = {_UNITS[price.unit]: _usd(price.usd) for price in prices if price.unit is not models.Unit.SECOND}
    return {"prompt": "0", "completion": "0"} | known


def _usd(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


def _context_length(of: models.Model) -> int:
    return of.max_prompt_characters // pricing.CHARACTERS_PER_TOKEN


def _architecture(of: models.Model) -> dict[str, Any]:
    inputs = _inputs(of)
    return {
        "modality": f"{'+'.join(inputs)}->{modality(of)}",
        "input_modalities": inputs,
        "output_modalities": [modality(of)],
    }


def modality(of: models.Model) -> str:
    """Their word for what a model makes."""
    return "embeddings" if of.kind is states.Kind.EMBEDDING else str(of.kind)


def _inputs(of: models.Model) -> list[str]:
    pictured = of.kind is not states.Kind.TEXT and any(name in of.parameters for name in _PICTURED)
    return ["text", "image"] if pictured else ["text"]
