// The audit log for those who check: what was done, by whom, and whether the chain holds.

import { get, post } from "./api.js";
import { el, facts, fill, newId, notice, table } from "./dom.js";
import { dateTime, short } from "./words.js";

export function auditPage({ main, has }) {
  const list = el("div", {});
  const chain = el("div", { role: "status" });
  const inputs = {};
  const field = (name, text, hint) => {
    const id = newId(name);
    inputs[name] = el("input", { id, maxlength: 200, placeholder: hint, autocomplete: "off" });
    return el("div", { class: "field" }, el("label", { for: id }, text), inputs[name]);
  };
  const form = el("form", { class: "row" }, field("action", "What was done", "alert.adjudicate"), field("actor", "By whom", "person-…"), field("object", "To what", "alert-…"), el("button", { type: "submit", class: "primary" }, "Show"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    load();
  });
  const check = has("audit.export") && el("button", { type: "button", onclick: verify }, "Check the whole chain");
  fill(main, el("div", { class: "page" }, el("h1", {}, "Audit log"), el("p", { class: "muted" }, "Append-only and hash-chained; it holds references and counts, no names and no faces."), el("div", { class: "row actions" }, check), chain, form, list));

  async function load(before = null) {
    const asked = new URLSearchParams({ limit: "100" });
    for (const [name, input] of Object.entries(inputs)) if (input.value.trim()) asked.set(name, input.value.trim());
    if (before) asked.set("before", before);
    try {
      const log = await get(`/audit/entries?${asked}`);
      const rows = log.entries.map((one) => [one.sequence, el("time", { datetime: one.time }, dateTime(one.time)), el("code", {}, one.actor), one.action, el("code", {}, one.object), details(one)]);
      const oldest = log.entries.at(-1)?.sequence;
      fill(
        list,
        el("p", { class: "muted" }, `Chain ${log.chain}: ${log.sequence} entries, head ${short(log.head)}, last signed at entry ${log.checkpoint ?? "none"}.${log.sealed ? " It is sealed." : ""}`),
        table("Entries of the audit log, newest first", ["No.", "Time", "Who", "What", "To what", "Details"], rows, { empty: "No entry is like that." }),
        rows.length === 100 && el("button", { type: "button", onclick: () => load(oldest) }, "Older entries"),
      );
    } catch (error) {
      fill(list, notice(error.message, "bad"));
    }
  }

  function details(one) {
    if (!Object.keys(one.details).length) return "–";
    return el("details", {}, el("summary", { "aria-label": `Details of entry ${one.sequence}` }, "Show"), facts([...Object.entries(one.details).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]), ["hash", el("code", {}, one.hash)]]));
  }

  async function verify() {
    check.disabled = true;
    fill(chain, notice("Checking every entry…", "info"));
    try {
      const verdict = await post("/audit/check");
      fill(chain, notice(verdict.verdict, verdict.intact ? "good" : "bad"), el("p", { class: "muted small" }, "This service checked its own log. For a check that does not trust it, take an export and run lfr audit verify elsewhere."));
    } catch (error) {
      fill(chain, notice(error.message, "bad"));
    } finally {
      check.disabled = false;
    }
    load();
  }

  load();
  return { close() {} };
}
