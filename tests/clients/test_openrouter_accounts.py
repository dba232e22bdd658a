"""Keys, credits, activity and batches of OpenRouter's official Python client."""

import pytest

from tests.clients import scripted

# A whole script runs in the first test that asks for its report.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def report(run: scripted.Run) -> scripted.Report:
    return await run("openrouter", "openrouter_accounts.py")


def test_a_key_is_made_with_a_limit_and_opens_things(report: scripted.Report) -> None:
    made = report["create"]
    assert made["key"].startswith("gq_live_")
    data = made["data"]
    assert (data["name"], data["limit"], data["limit_reset"], data["limit_remaining"]) == (
        "A partner",
        1.5,
        "monthly",
        1.5,
    )
    assert report["spend"]["choices"][0]["finish_reason"] == "stop"


def test_what_a_key_spends_is_told_by_the_key_and_of_it(report: scripted.Report) -> None:
    cost = report["spend"]["usage"]["cost"]
    for data in (report["own"]["data"], report["get"]["data"]):
        assert data["usage"] == data["usage_daily"] == data["usage_weekly"] == data["usage_monthly"] == cost > 0
        assert data["limit_remaining"] == pytest.approx(1.5 - cost)
    [budget] = report["own"]["data"]["budgets"]
    assert budget == report["own"]["data"]["effective_budget"]
    assert (budget["scope"], budget["reset_interval"], budget["spend_usd"]) == ("api_key", "monthly", cost)
    assert (report["own"]["data"]["is_management_key"], report["admin"]["data"]["is_management_key"]) == (False, True)


def test_a_limit_is_changed_and_lifted(report: scripted.Report) -> None:
    changed = report["update"]["data"]
    assert (changed["name"], changed["limit"], changed["limit_reset"]) == ("Renamed", 0.000001, "monthly")
    assert (report["daily"]["data"]["limit"], report["daily"]["data"]["limit_reset"]) == (0.000001, "daily")
    assert (report["lifted"]["data"]["limit"], report["lifted"]["data"]["limit_reset"]) == (None, None)


@pytest.mark.parametrize("name", ["no_credit", "no_credit_image", "no_credit_chat"])
def test_without_money_nothing_is_made(report: scripted.Report, name: str) -> None:
    error = report[name]
    assert (error["raised"], error["code"]) == ("PaymentRequiredResponseError", 402)
    assert error["metadata"]["error_type"] == "payment_required"
    assert error["metadata"]["details"]["limit_source"] == "key"


def test_a_batch_without_money_fails_and_says_so(report: scripted.Report) -> None:
    assert report["no_credit_batch"]["status"] == "validating"
    end = report["no_credit_batch_end"]
    assert (end["status"], end["results"]) == ("failed", None)
    assert "budget" in end["error"]["message"]


def test_only_admins_see_keys(report: scripted.Report) -> None:
    assert report["not_admin"]["status_code"] == 403
    assert report["key"]["hash"] in report["list"]


def test_a_disabled_key_opens_nothing_any_more(report: scripted.Report) -> None:
    assert report["disable"]["data"]["disabled"] is True
    assert (report["disabled"]["status_code"], report["enable"]["code"]) == (401, 400)
    assert report["delete"] == {"deleted": True}
    assert report["key"]["hash"] not in report["list_after"]
    assert report["key"]["hash"] in report["list_all"]


@pytest.mark.parametrize(("name", "code"), [("unknown", 404), ("no_name", 400), ("bad_limit", 400)])
def test_bad_requests_for_keys(report: scripted.Report, name: str, code: int) -> None:
    assert report[name]["code"] == code


def test_credits_and_activity_add_up(report: scripted.Report) -> None:
    credit = report["credits"]["data"]
    assert credit["total_credits"] > credit["total_usage"] >= report["spend"]["usage"]["cost"]
    [line] = [line for line in report["activity"]["data"] if line["model"] == "sandbox/text"]
    assert (line["usage"], line["requests"]) == (report["spend"]["usage"]["cost"], 1)
    used = report["spend"]["usage"]
    assert (line["prompt_tokens"], line["completion_tokens"]) == (used["prompt_tokens"], used["completion_tokens"])
    assert report["activity_old"]["code"] == 400


def test_a_batch_gives_every_request_its_answer(report: scripted.Report) -> None:
    assert (report["batch"]["status"], report["batch"]["results"]) == ("validating", None)
    end = report["batch_end"]
    assert (end["status"], end["request_counts"]) == ("completed", {"total": 20, "completed": 20, "failed": 0})
    assert {row["custom_id"] for row in end["results"]} == {f"row-{number}" for number in range(20)}
    first = end["results"][0]["response"]
    assert (first["status_code"], first["body"]["model"]) == (200, "sandbox/text-instant")
    assert first["body"]["choices"][0]["message"]["content"]


def test_bad_requests_stop_no_good_ones(report: scripted.Report) -> None:
    mixed = report["batch_mixed"]
    assert mixed["request_counts"] == {"total": 3, "completed": 1, "failed": 2}
    good, *bad = sorted(mixed["results"], key=lambda row: row["custom_id"])
    assert (good["custom_id"], good["error"]) == ("row-1", None)
    assert all(row["response"] is None and row["error"]["message"] for row in bad)


def test_batches_are_listed(report: scripted.Report) -> None:
    assert (len(report["batch_list"]["data"]), report["batch_list"]["has_more"]) == (1, True)
    assert report["batch_end"]["id"] in report["batch_pages"]
    assert (report["batch_none"]["data"], report["batch_none"]["has_more"]) == ([], False)


@pytest.mark.parametrize("name", ["endpoint", "model", "other_model", "twice", "empty", "unknown"])
def test_batches_that_cannot_be_run(report: scripted.Report, name: str) -> None:
    error = report[f"batch_{name}"]
    assert (error["raised"], error["code"]) == ("BatchErrorResponse", 404 if name == "unknown" else 400)


def test_batches_cannot_be_deleted_here(report: scripted.Report) -> None:
    assert report["batch_delete"]["status_code"] == 405
