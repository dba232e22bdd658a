"""The history checker: promises P1 to P4 against what the witnesses say. Pure; nothing of the system is imported."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos import customer, history, load

# After these an attempt is over, and the next may be made; after `in_doubt` only if the policy says so.
OVER = frozenset({"refused", "failed", "not_sent", "overdue", "cancelled", "in_doubt"})
SAID_NOT_ACCEPTED = frozenset({"intended", "not_sent", "refused"})
TRIES_PER_ENDPOINT = 3
SHOWN = 500
RETRYABLE = frozenset({"throttled", "unavailable", "in_doubt"})


@dataclass(slots=True)
class Verdict:
    """What was counted, and a sentence for every breach."""

    jobs: int = 0
    terminal: int = 0
    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    paid_twice: list[str] = field(default_factory=list)
    in_doubt: int = 0
    policy_broken: list[str] = field(default_factory=list)
    bad_bytes: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def breaches(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.changed, *self.paid_twice, *self.policy_broken, *self.bad_bytes, *self.other]

    def line(self, faults: int, seed: int) -> str:
        """The one line that is printed."""
        return (
            f"jobs {self.jobs} · terminal {self.terminal} · lost {len(self.lost)}"
            f" · changed after terminal {len(self.changed)} · paid twice {len(self.paid_twice)}"
            f" · in doubt {self.in_doubt} (policy followed {self.in_doubt - len(self.policy_broken)})"
            f" · completed without good bytes {len(self.bad_bytes)} · faults {faults} · seed {seed}"
        )


def check(story: history.History) -> Verdict:
    """Every promise, for every job."""
    book = story.book
    verdict = Verdict(jobs=len(book.orders), changed=list(book.went_back))
    bought = story.bought()
    for job_id, order in book.orders.items():
        job = book.last.get(job_id)
        if job is None or job["status"] not in customer.TERMINAL:
            verdict.lost.append(f"{job_id} ({order.body['model']}) was promised and is {job and job['status']}")
            continue
        verdict.terminal += 1
        _check_unchanged(verdict, book.first.get(job_id), job)
        verdict.paid_twice += _paid_twice(job, bought.get(job_id, {}))
        _check_doubt(verdict, job, order)
        verdict.other += _untrue_bill(job, bought.get(job_id, {}))
    verdict.bad_bytes += [f"{job_id}: {fault}" for job_id, fault in story.bad_bytes.items()]
    verdict.paid_twice += _unordered(story)
    verdict.other += _twins(story)
    return verdict


def _check_unchanged(verdict: Verdict, first: load.Json | None, last: load.Json) -> None:
    if first is None:
        return
    differing = sorted(name for name in first if first[name] != last.get(name))
    if differing:
        shown = ", ".join(f"{name}: {first[name]!r} then {last.get(name)!r}" for name in differing)
        verdict.changed.append(f"{last['id']} changed after it was {first['status']}: {shown[:SHOWN]}")


def _paid_twice(job: load.Json, bought: dict[int, list[history.Ask]]) -> Iterator[str]:
    """One accepted ask an attempt, none that no attempt stands for, and each attempt over before the next."""
    attempts = {attempt["number"]: attempt for attempt in job["attempts"]}
    for number, asks in bought.items():
        attempt = attempts.get(number)
        if len(asks) > 1:
            yield f"{job['id']}.{number} was accepted {len(asks)} times"
        if attempt is None:
            yield f"{job['id']}.{number} was asked, and no attempt says so"
        elif attempt["status"] in SAID_NOT_ACCEPTED:
            yield f"{job['id']}.{number} was accepted, and the attempt says {attempt['status']}"
    for number, attempt in attempts.items():
        if number < len(attempts) and not _was_over(attempt, attempts[number + 1]):
            yield f"{job['id']}.{number} is {attempt['status']}, and another attempt was made after it"
    if sum(attempt["status"] == "succeeded" for attempt in attempts.values()) > 1:
        yield f"{job['id']} has more than one attempt that succeeded"


def _was_over(attempt: load.Json, following: load.Json) -> bool:
    """One that was given up as stuck may still finish, after its successor was made, and win."""
    if attempt["status"] == "succeeded":
        return str(attempt["finished_at"]) >= str(following["created_at"])
    return attempt["status"] in OVER


def _untrue_bill(job: load.Json, bought: dict[int, list[history.Ask]]) -> Iterator[str]:
    charged = sum(ask.charged_micros for asks in bought.values() for ask in asks)
    if job["billed"] == "no" and charged:
        yield f"{job['id']} says billed: no, and the provider charged {charged} micro-dollars"


def _unordered(story: history.History) -> Iterator[str]:
    for ask in story.asks:
        if ask.bought and ask.job_id not in story.book.orders and ask.job_id not in story.known_to_api:
            yield f"{ask.reference} was bought for a job that nobody ordered"


def _check_doubt(verdict: Verdict, job: load.Json, order: load.Order) -> None:
    doubtful = [attempt for attempt in job["attempts"] if attempt["status"] == "in_doubt"]
    if not doubtful:
        return
    verdict.in_doubt += 1
    reason = "" if job["in_doubt"] else "it does not show that it is in doubt"
    for attempt in doubtful:
        reason = reason or _not_followed(job, attempt, order.on_doubt)
    if reason:
        verdict.policy_broken.append(f"{job['id']} (on_doubt {order.on_doubt}): {reason}")


def _not_followed(job: load.Json, attempt: load.Json, policy: str) -> str:
    """Why the policy was not followed after this attempt; empty when it was."""
    later = [other for other in job["attempts"] if other["number"] > attempt["number"]]
    here = [other for other in job["attempts"] if _endpoint(other) == _endpoint(attempt)]
    if policy == "fail":
        if later:
            return f"attempt {later[0]['number']} was made after doubt"
        return "" if job["status"] != "completed" else "it was completed"
    if policy == "fallback":
        again = [other for other in later if _endpoint(other) == _endpoint(attempt)]
        return f"attempt {again[0]['number']} asked the same endpoint again" if again else ""
    if later or job["status"] != "failed":
        return ""
    faults = [other["fault"] for other in here if other["fault"]]
    exhausted = len(faults) >= TRIES_PER_ENDPOINT or any(fault not in RETRYABLE for fault in faults)
    return "" if exhausted else f"it failed after {len(faults)} tries"


def _endpoint(attempt: load.Json) -> tuple[str, str]:
    return attempt["model"], attempt["provider"]


def _twins(story: history.History) -> Iterator[str]:
    """The same key with the same body is one job (P8), and the API has no job that nobody was told of."""
    for number, ids in story.book.answered.items():
        if len(ids) > 1:
            yield f"order {number} was answered with {len(ids)} jobs: {', '.join(sorted(ids))}"
    untold = set(story.known_to_api) - set(story.book.orders)
    if len(untold) > len(story.book.unanswered):
        yield f"{len(untold)} jobs exist that nobody was told of"
    for refusal in story.book.refused:
        yield f"an order was refused: {refusal}"
