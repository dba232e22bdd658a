"""A customer as real ones are: a tenant with a key of its own, a rate limit and a budget that every job is held in."""

from dataclasses import dataclass

from cli import client
from cli.stack import stack

PLENTY_MICROS = 10**15
MANY_REQUESTS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Customer:
    """Whose jobs are measured."""

    tenant_id: str
    secret: str


async def customer(made: stack.Stack, name: str = "Benchmark") -> Customer:
    """A new customer with plenty of everything."""
    async with client.Client(made.base_url, made.admin_key) as api:
        tenant = await api.post("/v1/tenants", {"name": name})
        key = await api.post(
            "/v1/keys",
            {
                "name": "measured",
                "tenant_id": tenant["id"],
                "scopes": ["submit", "read"],
                "requests_per_minute": MANY_REQUESTS,
            },
        )
        budget = {"tenant_id": tenant["id"], "period": "month", "limit_micros": PLENTY_MICROS}
        await api.post("/v1/budgets", budget)
    return Customer(tenant["id"], key["secret"])
