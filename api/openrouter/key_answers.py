"""A key as OpenRouter's clients read it: its limit is our budget, its workspace our tenant, its hash our id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api import auth
from shared.domain import budgets, keys, usage

RESETS = {budgets.Period.DAY: "daily", budgets.Period.WEEK: "weekly", budgets.Period.MONTH: "monthly"}
# Their word for what every caller brings of his own, which is not told apart here.
_BYOK = ("byok_usage", "byok_usage_daily", "byok_usage_weekly", "byok_usage_monthly")
_NO_FREE_MODELS = {"limit": 0, "remaining": 0, "used": 0}
_RATE_LIMIT = {"requests": -1, "interval": "10s", "note": "Not in use there either; the RateLimit headers tell."}


@dataclass(frozen=True, slots=True)
class Account:
    """What a key has spent, and the budgets of its own."""

    spent: usage.Spent
    held: Sequence[budgets.Budget]


def listed(key: keys.Key, account: Account, now: datetime) -> dict[str, Any]:
    """A key among others."""
    made = key.created_at.isoformat()
    last_used_at = key.last_used_at.isoformat() if key.last_used_at else None
    return {
        "hash": key.id,
        "name": key.name,
        "disabled": key.disabled_at is not None,
        "created_at": made,
        "updated_at": None,
        "last_used_at": last_used_at,
        "external_user": None,
        "workspace_id": key.tenant_id,
        "creator_user_id": None,
        **_shared(key.hint, key.expires_at, account, now),
    }


def own(
    caller: auth.Caller, key: keys.Key | None, account: Account, every: Sequence[budgets.Budget], now: datetime
) -> dict[str, Any]:
    """The key that was sent; None for the one of the settings. `every`: all budgets it must keep to."""
    is_admin = keys.Scope.ADMIN in caller.scopes
    tightest = budgets.tightest(every, now)
    return {
        "allowed_data_regions": ["global"],
        "budgets": [_budget(budget, now) for budget in every],
        "effective_budget": _budget(tightest, now) if tightest else None,
        "free_model_daily_requests": _NO_FREE_MODELS,
        "is_free_tier": False,
        "is_management_key": is_admin,
        "is_provisioning_key": is_admin,
        "creator_user_id": None,
        "organization_id": None,
        "workspace_id": caller.tenant_id,
        "rate_limit": _RATE_LIMIT,
        **_shared(key.hint if key else "The admin key of the settings", key.expires_at if key else None, account, now),
    }


def _shared(label: str, expires_at: datetime | None, account: Account, now: datetime) -> dict[str, Any]:
    cap, spent = budgets.tightest(account.held, now), account.spent
    return {
        "label": label,
        "limit": usd(cap.limit_micros) if cap else None,
        "limit_remaining": usd(max(cap.left_at(now), 0)) if cap else None,
        "limit_reset": RESETS.get(cap.period) if cap else None,
        "include_byok_in_limit": False,
        "usage": usd(spent.total_micros),
        "usage_daily": usd(spent.day_micros),
        "usage_weekly": usd(spent.week_micros),
        "usage_monthly": usd(spent.month_micros),
        **dict.fromkeys(_BYOK, 0),
        "expires_at": expires_at.isoformat() if expires_at else None,
    }


def _budget(budget: budgets.Budget, now: datetime) -> dict[str, Any]:
    resets_at = budgets.resets_at(budget.period, now)
    return {
        "scope": "workspace" if budget.key_id is None else "api_key",
        "budget_id": budget.id,
        "guardrail_id": None,
        "include_byok": False,
        "limit_usd": usd(budget.limit_micros),
        "spend_usd": usd(budget.spent_at(now)),
        "remaining_usd": usd(max(budget.left_at(now), 0)),
        "reset_interval": RESETS.get(budget.period),
        "resets_at": resets_at.isoformat() if resets_at else None,
    }


def usd(micros: int) -> float:
    """Micro-dollars as their clients read money."""
    return micros / 1_000_000
