"""The journey of a file: chosen, tried, started, watched, and its results taken back."""

import csv
import re
from pathlib import Path

from playwright import async_api as playwright

from tests.browser import visits

ROWS = [("Oslo", "fjord"), ("Lyon", "river"), ("", ""), ("Turin", "alps"), ("Ghent, Belgium", "canal")]


def write(path: Path) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("city", "sight"), *ROWS])
    return path


async def test_a_file_goes_up_and_its_results_come_down(visit: visits.Open, tmp_path: Path) -> None:
    window = await visit()
    await window.sign_in("/batches/new")
    page = window.page
    await page.get_by_label(re.compile("^File")).set_input_files(write(tmp_path / "cities.csv"))
    await page.get_by_label("What to make of each row").fill("A postcard from ")
    await page.get_by_role("button", name="city").click()
    await playwright.expect(page.locator("#preview")).to_have_text("A postcard from Oslo")
    assert await window.faults() == []
    await page.get_by_role("button", name="Try it").click()
    await page.wait_for_url(re.compile(r"/batches/bat_"))
    await page.get_by_role("button", name="Start").wait_for()
    assert "A postcard from Oslo" in await page.locator("main").inner_text()
    assert await window.faults() == []
    await page.get_by_role("button", name="Start").click()
    await page.locator(".badge.completed").wait_for()
    await playwright.expect(page.get_by_role("region", name="The first rows")).to_contain_text("Ghent, Belgium")
    assert await window.faults() == []
    await window.shoot("batch")
    async with page.expect_download() as arriving:
        await page.get_by_role("link", name="csv", exact=True).click()
    saved = tmp_path / "results.csv"
    await (await arriving.value).save_as(saved)
    results = read(saved)
    assert [row["city"] for row in results][:2] == ["Oslo", "Lyon"]
    assert sum(row["status"] == "completed" for row in results) >= 4
    assert all(row["output"] for row in results if row["status"] == "completed")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


async def test_a_file_that_cannot_be_read_is_told_where_it_was_chosen(visit: visits.Open, tmp_path: Path) -> None:
    broken = tmp_path / "cities.csv"
    broken.write_bytes(b"city\nOslo\n")
    window = await visit()
    await window.sign_in("/batches/new")
    page = window.page
    await page.get_by_label(re.compile("^File")).set_input_files(broken)
    await page.get_by_label("What to make of each row").fill("A postcard from {{nowhere}}")
    await page.get_by_role("button", name="Try it").click()
    await playwright.expect(page.locator("#told")).to_contain_text("nowhere")
    window.complaints.clear()  # the browser itself notes the 400


async def test_a_row_with_a_picture_leads_to_its_job(visit: visits.Open, tmp_path: Path) -> None:
    file = tmp_path / "birds.csv"
    file.write_text("bird\nheron\n")
    window = await visit(width=390)
    await window.sign_in("/batches/new")
    page = window.page
    await page.get_by_label(re.compile("^File")).set_input_files(file)
    await page.get_by_label("Model").fill("sandbox/image")
    await page.get_by_label("What to make of each row").fill("A {{bird}}")
    await page.get_by_role("button", name="Try it").click()
    await page.get_by_role("button", name="Start").click()
    await page.get_by_role("region", name="The first rows").get_by_role("link", name="open").click()
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    await page.locator("figure img").wait_for()
