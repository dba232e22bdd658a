// What htmx does not do by itself: a pulse for live parts, copying, marking rows, the theme.
"use strict";

const PULSE_MILLISECONDS = 2000;

// Live parts listen for `pulse`. A hidden page asks for nothing, and nothing moves while somebody works in a form.
setInterval(() => {
  if (document.visibilityState === "visible") htmx.trigger(document.body, "pulse");
}, PULSE_MILLISECONDS);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") htmx.trigger(document.body, "pulse");
});

// On a phone the line of pages scrolls: the one we are on is in sight.
// (Not by scrollIntoView: the Tab key would go on from there and miss what comes before.)
const current = document.querySelector(".top nav [aria-current]");
if (current) current.parentElement.scrollLeft = current.offsetLeft - current.parentElement.clientWidth / 2;

const say = (text) => {
  document.getElementById("said").textContent = text;
};

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
    const before = copy.textContent;
    copy.textContent = "Copied";
    say("Copied");
    setTimeout(() => (copy.textContent = before), 1500);
  }
  if (event.target.closest("[data-theme-toggle]")) {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  }
});

// Marked rows: the bar of actions shows while there are any.
const rows = () => [...document.querySelectorAll('input[name="job"]')];
const count = () => {
  const bar = document.getElementById("actions");
  if (!bar) return;
  const marked = rows().filter((row) => row.checked).length;
  const all = document.querySelector('[name="reach"][value="all"]');
  bar.hidden = marked === 0 && !(all && all.checked);
  document.getElementById("marked").textContent = marked === 1 ? "1 job marked" : `${marked} jobs marked`;
};
document.addEventListener("change", (event) => {
  if (event.target.id === "mark-all") rows().forEach((row) => (row.checked = event.target.checked));
  if (event.target.matches('[name="job"], #mark-all, [name="reach"]')) count();
});

// A swap must not lose what is marked, open or focused.
let kept = null;
document.addEventListener("htmx:beforeSwap", () => {
  kept = {
    marked: new Set(rows().filter((row) => row.checked).map((row) => row.value)),
    open: [...document.querySelectorAll("details[id][open]")].map((item) => item.id),
    focus: document.activeElement && document.activeElement.id,
  };
});
document.addEventListener("htmx:afterSettle", () => {
  if (!kept) return;
  rows().forEach((row) => (row.checked = kept.marked.has(row.value)));
  kept.open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  if (kept.focus && document.activeElement?.id !== kept.focus) document.getElementById(kept.focus)?.focus();
  kept = null;
  count();
});

// Signed out meanwhile: the page itself asks for the key.
document.addEventListener("htmx:responseError", (event) => {
  const told = document.getElementById("told");
  if (event.detail.xhr.status === 401) location.reload();
  else if (told) {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    told.textContent = page.querySelector('main [role="alert"]')?.textContent ?? "That did not work.";
  } else say("The server did not answer as expected.");
});
document.addEventListener("submit", (event) => {
  const asked = event.submitter?.dataset.confirm;
  if (asked && !confirm(asked)) event.preventDefault();
});

// A new batch: the columns of a text file, read here before it is sent, and what the first row would ask.
const HEAD_BYTES = 65536;
const cells = (line, mark) => {
  const found = [];
  const pattern = new RegExp(`(?:^|${mark})(?:"((?:[^"]|"")*)"|([^${mark}]*))`, "g");
  for (const match of line.matchAll(pattern)) found.push((match[1] ?? match[2] ?? "").replaceAll('""', '"').trim());
  return found;
};
let firstRow = {};
const preview = () => {
  const template = document.getElementById("template");
  if (!template) return;
  document.getElementById("preview").textContent =
    template.value.replace(/\{\{\s*(.*?)\s*\}\}/g, (hole, name) => firstRow[name] ?? hole) || "…";
};
const head = async (file) => {
  const lines = (await file.slice(0, HEAD_BYTES).text()).replace(/^\ufeff/, "").split(/\r?\n/).filter(Boolean);
  if (/^\s*\{/.test(lines[0] ?? "")) return JSON.parse(lines[0]);
  const mark = ["\t", ";", ",", "\\|"].find((one) => new RegExp(one).test(lines[0])) ?? ",";
  const names = cells(lines[0] ?? "", mark);
  const values = cells(lines[1] ?? "", mark);
  return Object.fromEntries(names.map((name, place) => [name, values[place] ?? ""]));
};
document.addEventListener("change", async (event) => {
  if (event.target.id !== "file" || !event.target.files.length) return;
  const file = event.target.files[0];
  firstRow = /\.xlsx$/i.test(file.name) ? {} : await head(file).catch(() => ({}));
  const box = document.getElementById("columns");
  box.replaceChildren(
    ...Object.keys(firstRow).map((name) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "column", textContent: name });
      button.dataset.column = name;
      return button;
    }),
  );
  if (!box.children.length) box.textContent = "The columns are shown after the file was tried.";
  preview();
});
document.addEventListener("click", (event) => {
  const column = event.target.dataset?.column;
  if (column === undefined) return;
  const template = document.getElementById("template");
  template.setRangeText(`{{${column}}}`, template.selectionStart, template.selectionEnd, "end");
  template.focus();
  preview();
});
document.addEventListener("input", (event) => {
  if (event.target.id === "template") preview();
});
