"""What lists have in common: a limit, a cursor, and whose things they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import fastapi
import pydantic

from api import auth
from shared import errors, ids
from shared.domain import tenants


class Listed(pydantic.BaseModel):
    """What can stand in a list; its id is the cursor."""

    id: str


Item = TypeVar("Item", bound=Listed)


class Page(pydantic.BaseModel, Generic[Item]):
    """One page. Ask for the next with `cursor=next_cursor`."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Want:
    """Which page."""

    limit: int
    cursor: str | None

    def check(self, prefix: ids.Prefix) -> None:
        """Raise InvalidRequestError for a cursor that no page gave."""
        if self.cursor is not None and self.cursor != tenants.HOUSE_ID and not ids.is_valid(prefix, self.cursor):
            raise errors.InvalidRequestError("Send the `next_cursor` of a page as it is.", param="cursor")


async def wanted(
    limit: Annotated[int, fastapi.Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, fastapi.Query(description="`next_cursor` of the page before")] = None,
) -> Want:
    """The dependency of routes that list."""
    return Want(limit, cursor)


Wanted = Annotated[Want, fastapi.Depends(wanted)]


def cut(found: Sequence[Item], limit: int) -> Page[Item]:
    """A page of `limit` from one more than that: the last tells whether there is another page."""
    shown = list(found[:limit])
    more = len(found) > limit
    return Page(data=shown, has_more=more, next_cursor=shown[-1].id if more else None)


def whose(caller: auth.Caller, tenant_id: str | None) -> str:
    """The tenant that something is made for. Raises NotFoundError for another's, unless the caller is an operator."""
    if tenant_id is None or tenant_id == caller.tenant_id:
        return caller.tenant_id
    if not caller.is_operator:
        raise errors.NotFoundError("There is no such tenant.", param="tenant_id")
    return tenant_id
