"""The `provider` object, and `/api/v1/providers`."""

from collections.abc import Mapping, Sequence
from typing import Any

import fastapi

from api import auth, forms, parts, routing
from shared import errors

router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.DialectRoute, include_in_schema=False)

# Wishes that only move endpoints to the back there; here nothing is moved.
_SOFT = ("preferred_max_latency", "preferred_min_throughput")
# Filters of which the catalog knows nothing. A filter that cannot be kept is refused.
_NEUTRAL: Mapping[str, Sequence[object]] = {
    "quantizations": ([],),
    "enforce_distillable_text": (False,),
    "options": ({},),
}


def translated(value: object) -> dict[str, Any]:
    """The object as ours: prices that are strings become numbers, `sort` may be an object there."""
    if not isinstance(value, dict):
        raise errors.InvalidRequestError("provider must be an object.", param="provider", accepted=["object"])
    forms.refuse_unless_neutral(value, _NEUTRAL, "provider.")
    wanted = {name: item for name, item in value.items() if name not in (*_SOFT, *_NEUTRAL) and item is not None}
    if isinstance(wanted.get("sort"), dict):
        wanted["sort"] = wanted["sort"].get("by")
    if isinstance(wanted.get("max_price"), dict):
        wanted["max_price"] = {name: _number(price) for name, price in wanted["max_price"].items()}
    return wanted


def _number(price: object) -> object:
    try:
        return float(price) if isinstance(price, str) else price
    except ValueError:
        return price


@router.get("/providers")
async def list_providers(_caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """The providers of the catalog."""
    names = sorted(given.catalog.providers)
    return {"data": [{"name": name, "slug": name, "privacy_policy_url": None} for name in names]}
