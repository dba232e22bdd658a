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
  if (event.detail.xhr.status === 401) location.reload();
  else say("The server did not answer as expected.");
});
document.addEventListener("submit", (event) => {
  const asked = event.submitter?.dataset.confirm;
  if (asked && !confirm(asked)) event.preventDefault();
});
