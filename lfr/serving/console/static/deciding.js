// The two steps of an adjudication, and taking one back.

import { post } from "./api.js";
import { el, fill, newId, notice, say, setText } from "./dom.js";
import { clock, KINDS } from "./words.js";

const FACTORS = [
  ["subject_factors", "The person", ["Features agree", "Mark or scar agrees", "Age or hair differ", "Features differ", "Partly covered"]],
  ["system_factors", "The system", ["Score well over", "Score just over", "Sharp image", "Blurred or small image"]],
  ["environmental_factors", "The place", ["Good light", "Poor light", "Clear view", "Crowded", "Steep angle"]],
];

export function decisionForm({ alertId, twoPersons, done, lost }) {
  const rule = el("div", {});
  const wrong = el("div", { role: "alert" });
  let busy = false;
  const groups = FACTORS.map(([name, title, phrases]) => {
    const textId = newId(name);
    const boxes = phrases.map((phrase) => el("input", { type: "checkbox", value: phrase, id: newId("factor") }));
    const text = el("input", { id: textId, maxlength: 2000, placeholder: "or in your words" });
    const node = el(
      "fieldset",
      {},
      el("legend", {}, title),
      el("div", { class: "chips" }, boxes.map((box, index) => el("label", { class: "chip", for: box.id }, box, el("span", {}, phrases[index])))),
      el("label", { class: "only-read", for: textId }, `${title}, in your words`),
      text,
    );
    const value = () => [...boxes.filter((box) => box.checked).map((box) => box.value), text.value.trim()].filter(Boolean).join("; ");
    return { name, title, node, value, first: boxes[0] };
  });
  const yes = el("button", { type: "button", class: "decide", onclick: () => choose("viable") }, el("span", { "aria-hidden": "true" }, "✓ "), "Viable", el("kbd", { "aria-hidden": "true" }, "V"));
  const no = el("button", { type: "button", class: "decide", onclick: () => choose("not_viable") }, el("span", { "aria-hidden": "true" }, "✕ "), "Not viable", el("kbd", { "aria-hidden": "true" }, "X"));
  const node = el(
    "section",
    { class: "step", "aria-label": "Step 1 of 2: is it viable?" },
    el("h3", { tabindex: -1 }, "Step 1 of 2: is it viable?"),
    rule,
    el("div", { class: "factors" }, groups.map((group) => group.node)),
    wrong,
    el("div", { class: "row bar" }, yes, no),
  );

  async function choose(decision) {
    if (busy) return;
    const missing = groups.find((group) => !group.value());
    if (missing) {
      fill(wrong, notice(`Say what you saw first: ${missing.title.toLowerCase()}.`, "warn"));
      missing.first.focus();
      return;
    }
    fill(wrong);
    busy = true;
    yes.disabled = no.disabled = true;
    try {
      const factors = Object.fromEntries(groups.map((group) => [group.name, group.value()]));
      await post(`/alerts/${encodeURIComponent(alertId)}/adjudication`, { decision, ...factors });
      say(decision === "viable" ? "Viable. You can undo it for ten seconds." : "Not viable. You can undo it for ten seconds.");
      await done();
    } catch (error) {
      await failed(error, wrong, lost);
    } finally {
      busy = false;
      yes.disabled = no.disabled = false;
    }
  }

  // Whether somebody else has called it viable already, where two must.
  function update(seconds) {
    const text = seconds ? "One officer called it viable. You are the second." : "Two officers must call an alert viable; one is enough for not viable.";
    if (twoPersons && rule.textContent !== `i${text}`) fill(rule, notice(text, "info"));
  }

  return { node, choose, update, busy: () => busy };
}

export function outcomeForm({ alertId, step, done, lost }) {
  const wrong = el("div", { role: "alert" });
  const kindId = newId("kind");
  const noteId = newId("note");
  const kind = el("select", { id: kindId }, el("option", { value: "" }, "Not yet known"), Object.entries(KINDS).map(([value, text]) => el("option", { value }, text)));
  const note = el("input", { id: noteId, maxlength: 4000 });
  let busy = false;
  const button = (state, text) => el("button", { type: "button", class: "decide", onclick: () => send(state) }, text);
  const buttons =
    step === "engage"
      ? [button("engaged", "A person was engaged"), button("not_engaged", "Nobody was engaged")]
      : [button("confirmed_true", "Right person"), button("confirmed_false", "Wrong person")];
  const node = el(
    "section",
    { class: "step" },
    el("h3", { tabindex: -1 }, step === "engage" ? "Step 2 of 2: what happened?" : "Was it the right person?"),
    el("p", { class: "muted" }, "An alert alone is no ground to use a power: confirm who it is first."),
    step === "confirm" && el("div", { class: "field" }, el("label", { for: kindId }, "What it came to"), kind),
    el("div", { class: "field" }, el("label", { for: noteId }, "Note (optional)"), note),
    wrong,
    el("div", { class: "row bar" }, buttons),
  );

  async function send(state) {
    if (busy) return;
    busy = true;
    for (const one of buttons) one.disabled = true;
    try {
      const chosen = step === "confirm" && kind.value ? { kind: kind.value } : {};
      await post(`/alerts/${encodeURIComponent(alertId)}/outcome`, { state, note: note.value, ...chosen });
      say("Recorded.");
      await done();
    } catch (error) {
      await failed(error, wrong, lost);
    } finally {
      busy = false;
      for (const one of buttons) one.disabled = false;
    }
  }

  return { node, busy: () => busy };
}

export function undoBar({ alertId, decision, until, done }) {
  const seconds = () => Math.max(0, (until - clock()) / 1000);
  const progress = el("progress", { max: 10, value: seconds(), "aria-hidden": "true" });
  const button = el("button", { type: "button", class: "primary", onclick: press });
  const told = el("span", { role: "alert" });
  const node = el("div", { class: "undo-bar" }, el("span", {}, decision === "viable" ? "You called it viable." : "You called it not viable."), button, progress, told);
  const timer = setInterval(() => {
    progress.value = seconds();
    if (!node.isConnected) clearInterval(timer);
  }, 100);

  async function press() {
    button.disabled = true;
    try {
      await post(`/alerts/${encodeURIComponent(alertId)}/retraction`);
      say("Taken back.");
      await done();
    } catch (error) {
      told.textContent = error.message;
      button.disabled = false;
    }
  }

  function tick() {
    const remaining = Math.ceil(seconds());
    setText(button, `Undo (${remaining} s)`);
    return remaining > 0;
  }

  tick();
  return { node, tick, press };
}

async function failed(error, wrong, lost) {
  if (error.status === 409) await lost(error);
  else {
    fill(wrong, notice(error.message, "bad"));
    say(error.message, { urgent: true });
  }
}
