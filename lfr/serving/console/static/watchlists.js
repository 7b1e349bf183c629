// Watchlists: who is on them and on what ground, what lint finds, approval, seal, suspension.

import { get, post } from "./api.js";
import { confirmTyped } from "./confirm.js";
import { el, facts, fill, newId, notice, table } from "./dom.js";
import { category, dateTime, plain, short } from "./words.js";

export function watchlistsPage({ main, has }) {
  const place = el("div", { class: "page" });
  const detail = el("div", { class: "stack" });
  let open = true;
  fill(main, place);

  async function load() {
    try {
      const { watchlists } = await get("/watchlists");
      if (!open) return;
      fill(
        place,
        el("h1", {}, "Watchlists"),
        table("Watchlists", ["Name", "State", "People", "Digest", ""], watchlists.map((one) => [
          one.name, el("span", { class: `pill w-${one.state}` }, plain(one.state)), one.entries, el("code", {}, short(one.digest)),
          has("watchlist.show") && el("button", { type: "button", onclick: () => ask(one), "aria-label": `Open ${one.name}` }, "Open"),
        ]), { empty: "There is no watchlist yet; they are made and filled on the command line." }),
        detail,
      );
    } catch (error) {
      fill(place, el("h1", {}, "Watchlists"), notice(error.message, "bad"));
    }
  }

  // Reading entries needs a purpose, which the log keeps.
  function ask(list) {
    const id = newId("purpose");
    const purpose = el("input", { id, required: true, maxlength: 4000 });
    const form = el("form", { class: "row" }, el("div", { class: "field grow" }, el("label", { for: id }, `Why do you open “${list.name}”? The log keeps it.`), purpose), el("button", { class: "primary", type: "submit" }, "Open"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (purpose.value.trim()) show(list.watchlist_id, purpose.value.trim());
    });
    fill(detail, form);
    purpose.focus();
  }

  async function show(id, purpose, told = null) {
    let list;
    try {
      list = await get(`/watchlists/${encodeURIComponent(id)}?purpose=${encodeURIComponent(purpose)}`);
    } catch (error) {
      fill(detail, notice(error.message, "bad"));
      return;
    }
    const again = (text) => Promise.all([load(), show(id, purpose, notice(text, "good"))]);
    const attempt = async (does) => {
      try {
        await does();
      } catch (error) {
        fill(found, notice(error.message, "bad"));
      }
    };
    const found = el("div", { role: "status" });
    const unapproved = list.entries.filter((entry) => !entry.approved_by).length;
    const buttons = [
      has("watchlist.lint") && list.state !== "destroyed" && el("button", { type: "button", onclick: () => attempt(async () => fill(found, lint(await post(`/watchlists/${encodeURIComponent(id)}/lint`)))) }, "Look it over"),
      has("watchlist.approve") && list.state === "open" && unapproved > 0 && el("button", { type: "button", onclick: () => attempt(async () => {
        const { approved } = await post(`/watchlists/${encodeURIComponent(id)}/approval`);
        await again(`${approved} approved; your own entries wait for somebody else.`);
      }) }, `Approve (${unapproved} wait)`),
      has("watchlist.seal") && list.state === "open" && el("button", { type: "button", class: "primary", onclick: async () => {
        const done = await confirmTyped({ title: "Seal this watchlist?", text: "Nothing on it changes any more but suspension, and it serves one deployment.", word: "seal", button: "Seal", danger: false, act: () => post(`/watchlists/${encodeURIComponent(id)}/seal`) });
        if (done !== undefined) await again("Sealed.");
      } }, "Seal…"),
    ].filter(Boolean);
    fill(
      detail,
      el("h2", { tabindex: -1 }, list.name),
      told,
      facts([["State", plain(list.state)], ["Digest", list.digest && el("code", {}, list.digest)], ["Model", list.model.version], list.sealed_at && ["Sealed", dateTime(list.sealed_at)]]),
      buttons.length > 0 && el("div", { class: "row actions" }, buttons),
      found,
      table(`People on ${list.name}`, ["Subject", "Category", "Reason", "Legal basis", "Image", "Expires", "Approved by", ""], list.entries.map((entry) => [
        entry.subject_id,
        el("span", { class: `p${category(entry.category).priority}` }, el("span", { class: "mark", "aria-hidden": "true" }, category(entry.category).shape), " ", category(entry.category).text),
        entry.reason, entry.legal_basis,
        `${entry.image_source}, ${entry.image_date}${entry.under_18 ? ", under 18" : ""}`,
        entry.expires_at.slice(0, 10),
        entry.approved_by ?? "nobody yet",
        entry.suspended ? el("span", { class: "pill" }, "Suspended") : has("watchlist.suspend") && el("button", { type: "button", class: "danger small", "aria-label": `Suspend ${entry.subject_id}`, onclick: async () => {
          const done = await confirmTyped({ title: `Suspend ${entry.subject_id}?`, text: "No alert about this person is raised any more, within a second.", word: "suspend", button: "Suspend", reason: "Why; name no person", act: (reason) => post(`/watchlists/${encodeURIComponent(id)}/entries/${encodeURIComponent(entry.entry_id)}/suspension`, { reason }) });
          if (done !== undefined) await again(`${entry.subject_id} is suspended.`);
        } }, "Suspend…"),
      ])),
    );
    detail.querySelector("h2").focus();
  }

  function lint(report) {
    const lines = report.findings.map((one) => el("li", {}, notice(`${one.subjects.length ? `${one.subjects.join(", ")}: ` : ""}${one.text}`, one.severity === "error" ? "bad" : "warn")));
    return [notice(report.passed ? "Nothing stands against sealing it." : "Something stands against sealing it.", report.passed ? "good" : "bad"), lines.length > 0 && el("ul", { class: "plain" }, lines), el("p", { class: "muted small" }, `Judged at ${report.threshold.toFixed(2)} (${report.threshold_source}). Strangers are compared by lfr watchlist lint on the command line only.`)];
  }

  load();
  return {
    close() {
      open = false;
    },
  };
}
