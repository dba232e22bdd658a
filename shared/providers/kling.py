"""Kling. A key is written `access:secret`, and every request carries a token made from it."""

import base64
import functools
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from shared.domain import faults, models, outputs, shapes, states
from shared.providers import base, dialects, http, inputs, outcomes, plain, words

_K = faults.FaultKind
KINDS = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), _K.AUTH),
    **dict.fromkeys(("1100", "1101", "1102"), _K.OUT_OF_CREDIT),
    "1103": _K.AUTH,
    **dict.fromkeys(("1200", "1201"), _K.INVALID_INPUT),
    "1203": _K.NOT_FOUND,
    "1301": _K.CONTENT_POLICY,
    "1302": _K.THROTTLED,
    "1303": _K.THROTTLED,  # the cap on tasks at once: wait, do not fail
}
TOKEN_SECONDS = 1800
# A clock of theirs that is behind ours must not refuse the token.
SLACK_SECONDS = 5
PATHS = ("videos/text2video", "videos/image2video", "images/generations")


def in_band(body: Mapping[str, Any]) -> dialects.Complaint | None:
    """Errors come with any status, 200 too; `code` tells. 5xxx are the server's own and prove nothing."""
    code = body.get("code")
    if not isinstance(code, int) or code == 0 or code >= 5000:
        return None
    return dialects.Complaint((str(code),), str(body.get("message") or f"Code {code}."))


def token(key: str, now: float) -> str:
    """A JWT (HS256) that is good from five seconds ago for half an hour."""
    access, _, secret = key.partition(":")
    claims = {"iss": access, "exp": int(now) + TOKEN_SECONDS, "nbf": int(now) - SLACK_SECONDS}
    head = b".".join(_encoded(orjson.dumps(part)) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return b".".join((head, _encoded(hmac.digest(secret.encode(), head, hashlib.sha256)))).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


class KlingAdapter(plain.PlainAdapter):
    """Tasks can be looked up by `external_task_id`, our reference: class L."""

    abilities: ClassVar = models.Abilities(
        {
            states.Kind.VIDEO: frozenset({"frame_images", "generate_audio"}),
            states.Kind.IMAGE: frozenset({"n", "input_references"}),
        },
        doubts=(models.Doubt.SEARCHABLE,),
    )
    dialect: ClassVar = dialects.Dialect(kinds=KINDS, in_band=in_band)
    visits: ClassVar = (plain.Visit(f"/v1/{PATHS[0]}/genqueue-check", fine=frozenset({_K.NOT_FOUND})),)

    def headers(self) -> dict[str, str]:
        """See plain.PlainAdapter."""
        return {"Authorization": f"Bearer {token(self.connection.key, time.time())}"}

    def order(self, ask: base.Ask) -> plain.Order:
        """See plain.PlainAdapter."""
        first = inputs.first_frame(ask.request)
        path = PATHS[2] if ask.kind is states.Kind.IMAGE else PATHS[1] if first else PATHS[0]
        body = _image(ask) if ask.kind is states.Kind.IMAGE else _video(ask, first)
        body |= {"external_task_id": ask.reference, "callback_url": ask.callback_url}
        return plain.Order(f"/v1/{path}", functools.partial(_accepted, path=path), body)

    def place(self, upstream_id: str) -> str:
        """The id has its path in it: `videos/text2video/TASK`."""
        return f"/v1/{plain.escaped(upstream_id)}"

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """See plain.PlainAdapter."""
        data = reply.body["data"]
        return words.outcome(outcomes.name(data["task_status"]), lambda: _finished(data), lambda: self._failed(data))

    async def find(self, reference: str) -> base.Accepted | None:
        """Looks in each place a task of ours may be; only a clear no from all of them is a no."""
        for path in PATHS:
            answer = await self.ask("GET", f"/v1/{path}/{plain.escaped(reference)}")
            seen = outcomes.of_submit(answer, self.dialect, functools.partial(_accepted, path=path))
            if isinstance(seen, base.Accepted):
                return seen
            if not isinstance(seen, base.Refused) or seen.fault.kind is not _K.NOT_FOUND:
                raise base.LookupFailedError
        return None

    def _failed(self, data: dict[str, Any]) -> base.Failed:
        message = str(data.get("task_status_msg") or "The task failed.")
        return base.Failed(self.dialect.named((), message))


def _video(ask: base.Ask, first: str | None) -> dict[str, Any]:
    last, audio = inputs.last_frame(ask.request), getattr(ask.request, "generate_audio", None)
    return {
        "model_name": ask.upstream_model,
        "prompt": getattr(ask.request, "prompt", ""),
        "duration": str(ask.seconds),  # a text, not a number
        "aspect_ratio": shapes.aspect_ratio(ask.request, ask.pixels, ("16:9", "9:16", "1:1")) if ask.pixels else None,
        "image": inputs.bare(first) if first else None,
        "image_tail": inputs.bare(last) if last else None,
        "sound": None if audio is None else "on" if audio else "off",
    }


def _image(ask: base.Ask) -> dict[str, Any]:
    pictures = inputs.references(ask.request)
    return {
        "model_name": ask.upstream_model,
        "prompt": getattr(ask.request, "prompt", ""),
        "n": getattr(ask.request, "n", 1),
        "aspect_ratio": shapes.aspect_ratio(ask.request, ask.pixels) if ask.pixels else None,
        "image": inputs.bare(pictures[0]) if pictures else None,
    }


def _accepted(reply: http.Reply, path: str) -> base.SubmitOutcome:
    return base.Accepted(f"{path}/{outcomes.name(reply.body['data']['task_id'])}")


def _finished(data: dict[str, Any]) -> base.Finished:
    result = data.get("task_result") or {}
    items = [*(result.get("videos") or []), *(result.get("images") or [])]
    return base.Finished(tuple(outputs.Source(url=outcomes.name(item["url"])) for item in items))
