// One alert: what was seen beside whom it resembles, and what somebody decides about it.

import { get, imageUrl } from "./api.js";
import { decisionForm, outcomeForm, undoBar } from "./deciding.js";
import { el, fill, newId, notice, setText, svg } from "./dom.js";
import { ago, category, clock, dateTime, KINDS, left, scoreSentence, state as stateText, thresholdInShort, time } from "./words.js";

const UNDO_MS = 10_000;
const PURPOSE = "to adjudicate the alert";

export function alertView({ alert, session, deployment, has, next, waiting }) {
  const { text, priority, shape } = category(alert.category);
  const headId = newId("alert");
  const when = el("span", {});
  const retention = el("p", { class: "retention muted" });
  const steps = el("div", { class: "steps" });
  const undo = el("div", { class: "undo" });
  const story = el("div", { class: "story" });
  const told = el("div", { role: "status" });
  const more = el("button", { type: "button", class: "quiet", onclick: () => next("waiting") });
  const images = new Map();
  let aligned = true;
  let shown = 0; // which image of the person on the list
  let count = 0; // of others
  const asKept = el("button", { type: "button", class: "small", title: "Show both images as they are kept, not turned and scaled", "aria-pressed": "false", onclick: () => {
    const kept = asKept.getAttribute("aria-pressed") !== "true";
    asKept.setAttribute("aria-pressed", String(kept));
    aligned = !kept;
    for (const which of images.keys()) look(which);
  } }, "As kept");
  // Images of the person on the list beside the one that the alert resembles.
  const others = el("button", { type: "button", class: "small", hidden: true, onclick: () => {
    shown = (shown + 1) % (count + 1);
    drawOthers();
    look("reference");
  } });
  const opened = clock();
  let history = null;
  let drawn = null; // which step stands, so that a form with half an answer in it is not drawn over
  let form = null;
  let bar = null;

  const node = el(
    "article",
    { class: `alert p${priority}`, "aria-labelledby": headId },
    el(
      "header",
      {},
      el("span", { class: "mark", "aria-hidden": "true" }, shape),
      el("div", {}, el("h2", { id: headId, tabindex: -1 }, text), el("p", { class: "muted" }, `Priority ${priority} · `, el("span", {}, `${alert.subject_id}`), alert.reason ? ` · ${alert.reason}` : "")),
      el("div", { class: "grow" }),
      more,
    ),
    el(
      "div",
      { class: "evidence" },
      el("div", { class: "pair" }, picture("probe", "Camera"), picture("reference", "Watchlist")),
      el(
        "div",
        { class: "facts-beside" },
        el("p", {}, "Camera ", el("strong", {}, alert.camera), ` at ${time(alert.captured_at)}, `, when),
        gauge(alert),
        el("p", { class: "score" }, scoreSentence(alert)),
        el("p", { class: "muted small" }, thresholdInShort(deployment.calibration)),
        el("div", { class: "row between" }, retention, has("alert.image") && asKept),
      ),
    ),
    told,
    undo,
    steps,
    story,
  );

  function picture(which, caption) {
    const missing = el("p", { class: "missing", hidden: true }, "This image is not there any more.");
    const image = el("img", { alt: which === "probe" ? "The face that the camera saw" : "The image on the watchlist", width: 256, height: 256, decoding: "async" });
    image.addEventListener("error", () => {
      image.hidden = true;
      missing.hidden = false;
    });
    image.addEventListener("load", () => {
      image.hidden = false;
      missing.hidden = true;
    });
    images.set(which, image);
    if (has("alert.image")) look(which);
    else {
      image.hidden = true;
      missing.hidden = false;
      missing.textContent = "Your key may not look at images.";
    }
    return el("figure", {}, el("div", { class: "frame" }, image, missing), el("figcaption", { class: "row between" }, caption, which === "reference" && others));
  }

  function look(which) {
    images.get(which).src = imageUrl(alert.alert, which, PURPOSE, { aligned, number: which === "reference" ? shown : 0 });
  }

  function drawOthers() {
    others.hidden = count === 0 || !has("alert.image");
    setText(others, shown === 0 ? `Other images (${count})` : `Other image ${shown} of ${count}`);
  }

  // Only what changed is drawn.
  function draw() {
    const mine = (history?.adjudications ?? []).filter((one) => one.person_id === session.id);
    const last = mine.at(-1);
    const standing = last && last.decision !== "retracted" ? last : null;
    const undoUntil = standing ? Date.parse(standing.made_at) + UNDO_MS : 0;
    const canUndo = standing && undoUntil > clock() && ["new", "viable", "not_viable"].includes(alert.state);
    if (Boolean(canUndo) !== Boolean(bar)) {
      bar = canUndo ? undoBar({ alertId: alert.alert, decision: standing.decision, until: undoUntil, done: reload }) : null;
      fill(undo, bar?.node ?? []);
    }
    const step = stepOf(standing);
    if (step !== drawn) {
      // A button that was pressed is disabled meanwhile, and then nothing has the focus.
      const focused = document.activeElement;
      const here = drawn !== null && (focused === document.body || steps.contains(focused) || undo.contains(focused));
      drawn = step;
      form = null;
      fill(steps, stepNode(step));
      if (here) steps.querySelector("[tabindex]")?.focus({ preventScroll: true }); // where a keyboard goes on
    }
    if (step === "decide") form.update(standsViable());
    drawStory();
    drawMore();
    tick();
  }

  // Whether somebody's call of viable stands: theirs after it may have taken it back.
  function standsViable() {
    const last = new Map((history?.adjudications ?? []).map((one) => [one.person_id, one.decision]));
    return [...last.values()].includes("viable");
  }

  function stepOf(standing) {
    if (alert.state === "new") return !has("alert.adjudicate") ? "watch" : standing ? "second" : "decide";
    if (alert.state === "viable") return has("alert.outcome") ? "engage" : "done";
    if (alert.state === "engaged") return has("alert.outcome") ? "confirm" : "done";
    return "done";
  }

  function stepNode(step) {
    if (step === "watch") return notice("An operator decides about this alert.", "info");
    if (step === "second") return notice("You called it viable. Your force asks for a second officer: it waits for another person to agree.", "info");
    if (step === "decide") {
      form = decisionForm({ alertId: alert.alert, twoPersons: session.two_person_rule, done: reload, lost: overtaken });
      return form.node;
    }
    if (step === "engage" || step === "confirm") {
      form = outcomeForm({ alertId: alert.alert, step, done: reload, lost: overtaken });
      return form.node;
    }
    return el("p", { class: "final", tabindex: -1 }, el("strong", {}, stateText(alert.state)));
  }

  function drawStory() {
    if (!history) return;
    const lines = [
      ...history.adjudications.map((one) => [one.made_at, `${who(one.person_id)} ${one.decision === "retracted" ? "took it back" : `called it ${stateText(one.decision).toLowerCase()}`}`, one]),
      ...history.outcomes.map((one) => [one.made_at, `${who(one.person_id)}: ${stateText(one.state).toLowerCase()}${one.kind ? `, ${(KINDS[one.kind] ?? one.kind).toLowerCase()}` : ""}`, one]),
    ];
    fill(
      story,
      lines.length > 0 && el("h3", {}, "What was decided"),
      el("ol", { class: "log" }, lines.map(([at, what, one]) => el("li", {}, el("time", { datetime: at }, time(at)), " ", what, one.subject_factors && el("span", { class: "muted" }, ` — ${[one.subject_factors, one.system_factors, one.environmental_factors].join("; ")}`)))),
    );
  }

  const who = (person) => (person === session.id ? "You" : person);

  function drawMore() {
    const count = waiting();
    more.hidden = count === 0;
    setText(more, `Next alert (${count} waiting) →`);
  }

  async function reload() {
    try {
      const found = await get(`/alerts/${encodeURIComponent(alert.alert)}`);
      history = found.history;
      count = found.other_references;
      drawOthers();
      alert = { ...alert, state: found.state, image_until: found.held ? null : (found.image_until ?? alert.image_until), held: found.held };
    } catch (error) {
      fill(told, notice(error.message, "bad"));
      return;
    }
    draw();
  }

  // Somebody else was faster, or what it stands on is gone: say so, and show how it stands now.
  async function overtaken(error) {
    await reload();
    const own = history?.adjudications.filter((one) => one.person_id === session.id).at(-1);
    if (drawn !== "decide" && own && own.decision !== "retracted" && Date.parse(own.made_at) > opened) {
      fill(told, notice(`Your answer was recorded at ${time(own.made_at)}, although this page was not told.`, "info"));
      return;
    }
    const other = history?.adjudications.filter((one) => one.decision !== "retracted" && one.person_id !== session.id).at(-1);
    const by = other && alert.state !== "new" ? `${other.person_id} was faster: called it ${stateText(other.decision).toLowerCase()} at ${time(other.made_at)}. ` : "";
    fill(told, notice(`${by}Your answer was not recorded (${error.message}).`, "bad"));
  }

  function tick() {
    setText(when, ago(alert.captured_at));
    const remaining = alert.image_until && left(alert.image_until);
    const held = alert.held ? "The images are held as evidence until they are reviewed." : null;
    setText(retention, held ?? (remaining ? `Images are deleted in ${remaining}.` : "The images are not kept any more."));
    if (remaining) retention.title = dateTime(alert.image_until);
    if (bar && !bar.tick()) draw();
  }

  draw();
  reload();

  return {
    node,
    update(now, action) {
      const others = drawn === "decide" && alert.state === "new" && now.state !== "new" && !form?.busy();
      alert = { ...alert, ...now };
      if (others && action !== "alert.retract") fill(told, notice(now.state === "lapsed" ? "Its time ran out: it lapsed, and nothing may come of it." : "Another officer decided about this alert while it was open here.", "warn"));
      reload();
    },
    othersChanged: drawMore,
    press(what) {
      if (what === "undo") bar?.press();
      else if (drawn === "decide") form.choose(what);
    },
    tick,
    close() {},
  };
}

// Where the score lies against the threshold; the sentence beside it says the same.
function gauge(alert) {
  const from = Math.min(0.2, alert.threshold - 0.1);
  const at = (score) => 8 + (Math.min(1, Math.max(0, (score - from) / (1 - from))) * 284);
  const limit = at(alert.threshold);
  return svg(
    "svg",
    { viewBox: "0 0 300 40", class: "gauge", "aria-hidden": "true" },
    svg("rect", { x: 8, y: 18, width: 284, height: 6, rx: 3, class: "track" }),
    svg("rect", { x: limit, y: 18, width: at(alert.score) - limit, height: 6, class: "over" }),
    svg("line", { x1: limit, x2: limit, y1: 12, y2: 30, class: "limit" }),
    svg("circle", { cx: at(alert.score), cy: 21, r: 6, class: "score" }),
    svg("text", { x: limit, y: 39, "text-anchor": "middle" }, `threshold ${alert.threshold.toFixed(2)}`),
    svg("text", { x: Math.max(20, at(alert.score)), y: 10, "text-anchor": "middle" }, alert.score.toFixed(2)),
  );
}
