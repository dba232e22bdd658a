"""A new job: a form made from what the model can do, with its price while one types."""

import hashlib
import secrets
from typing import Any

import fastapi
import orjson

from api import auth, parts
from api.dashboard import forms, pages, snippets
from api.native import previews
from api.native import submissions as submission_routes
from shared import errors
from shared.domain import models, requests, states
from shared.services import estimates, idempotency, jobs

# Embeddings are for programs: nobody looks at vectors, so there is no form for them.
FORMS = (states.Kind.VIDEO, states.Kind.IMAGE, states.Kind.TEXT)

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.get("/new")
async def form(
    request: fastapi.Request,
    caller: auth.Authenticated,
    given: parts.Given,
    kind: states.Kind | None = None,
    model: str = "",
    source: str = "",
) -> fastapi.Response:
    """An empty form, one for a model, or one with the request of an earlier job (`source`)."""
    typed: dict[str, Any] = forms.typed(request.query_params)
    if source:
        view = await jobs.get(given.db, caller.tenant_id, source, with_request=True)
        kind, typed = view.job.kind, forms.typed(request.query_params) | forms.fields(view.request or {})
        model = view.job.model
    return _form(request, given, kind, model, typed)


def _form(
    request: fastapi.Request,
    given: parts.Parts,
    kind: states.Kind | None,
    slug: str,
    typed: dict[str, Any],
    fault: errors.GenqueueError | None = None,
) -> fastapi.Response:
    catalog = given.catalog
    usable = given.usable_providers(catalog)
    known = catalog.models.get(slug)
    kind = kind or (known.kind if known else states.Kind.VIDEO)
    kind = kind if kind in FORMS else states.Kind.VIDEO
    if known is None or known.kind is not kind:
        known = catalog.models.get(forms.default_model(catalog, usable, kind))
    return pages.show(
        request,
        "new.html",
        400 if fault else 200,
        kinds=FORMS,
        kind=kind,
        model=known,
        models=_of_kind(catalog, kind),
        typed=typed,
        compared=forms.compared(request.query_params),
        nonce=secrets.token_hex(12),
        fault=fault,
    )


def _of_kind(catalog: models.Catalog, kind: states.Kind) -> list[models.Model]:
    return [model for _, model in sorted(catalog.models.items()) if model.kind is kind]


@router.post("/new/price")
async def price(request: fastapi.Request, caller: auth.AnyCaller, given: parts.Given) -> fastapi.Response:
    """What the form as it stands would cost, and the same as code. A fault is told, not raised: one is still typing."""
    fields = await request.form()
    kind = _kind(fields)
    body: dict[str, Any] = {}
    shown: list[tuple[str, estimates.Estimate | None, errors.GenqueueError | None]] = []
    for slug in forms.compared(fields):
        try:
            body = body or forms.body(fields)
            asked = forms.parse(kind, _with_prompt(body | {"model": slug}))
            shown.append((slug, _estimate(given, caller, kind, asked), None))
        except errors.GenqueueError as error:
            shown.append((slug, None, error))
    public_url = given.settings.public_url.rstrip("/")
    curl, python = snippets.curl(public_url, kind, body), snippets.python(public_url, kind, body)
    return pages.show(request, "price.html", shown=shown, curl=curl, python=python)


def _estimate(
    given: parts.Parts, caller: auth.Caller, kind: states.Kind, asked: requests.AnyRequest
) -> estimates.Estimate:
    catalog = given.catalog
    return estimates.estimate(catalog, previews.reachable(given, caller, catalog), given.watch.current, kind, asked)


def _with_prompt(body: dict[str, Any]) -> dict[str, Any]:
    """Nobody has typed a prompt yet; the price of most models does not depend on it."""
    return body if body.get("prompt") or "messages" in body else body | {"prompt": "…"}


@router.post("/new")
async def submit(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> fastapi.Response:
    """Make the job, or one for each model that is compared."""
    fields = await request.form()
    kind = _kind(fields)
    try:
        body = forms.body(fields)
        slugs = forms.compared(fields)
        # All are checked before the first is stored.
        asked = [forms.parse(kind, body | {"model": slug}) for slug in slugs]
        for one in asked:
            _estimate(given, caller, kind, one)
        made = [
            await _accept(given, caller, kind, one, f"{fields.get('nonce')}-{place}") for place, one in enumerate(asked)
        ]
    except errors.GenqueueError as error:
        return _form(request, given, kind, str(fields.get("model")), forms.typed(fields), error)
    if len(made) == 1:
        return pages.go(f"/jobs/{made[0]}")
    return pages.go("/compare?" + "&".join(f"job={job_id}" for job_id in made))


async def _accept(
    given: parts.Parts, caller: auth.Caller, kind: states.Kind, asked: requests.AnyRequest, nonce: str
) -> str:
    """The form's nonce is its Idempotency-Key: a button pressed twice makes one job."""
    canonical = orjson.dumps(asked.model_dump(mode="json", by_alias=True), option=orjson.OPT_SORT_KEYS)
    once = idempotency.Once(f"dashboard-{nonce}"[:200], hashlib.sha256(canonical).hexdigest())
    receipt = await submission_routes.submit(given, caller, kind, asked, once, fastapi.Response())
    return receipt.id


def _kind(fields: forms.Fields) -> states.Kind:
    named = next((kind for kind in FORMS if kind == fields.get("kind")), None)
    if named is None:
        raise errors.InvalidRequestError("There is no such form.", param="kind", accepted=FORMS)
    return named
