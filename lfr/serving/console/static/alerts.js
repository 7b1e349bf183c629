// The page of live alerts: the queue beside the one that is being decided.

import { alertView } from "./alert.js";
import { el, fill, notice, setText, soon } from "./dom.js";
import { ago, category, state as stateText } from "./words.js";

const SHOWN_DECIDED = 30;

export function alertsPage({ main, session, deployment, alerts, has }) {
  const cards = new Map();
  let open = null;
  let view = null;
  let keysOn = localStorage.getItem("lfr-keys") !== "off";

  const waitingList = el("ol", { class: "cards" });
  const decidedList = el("ol", { class: "cards" });
  const waitingHead = el("h2", {}, "Waiting");
  const nobody = el("p", { class: "muted calm" }, "No alert is waiting.");
  const place = el("section", { class: "opened", "aria-label": "The alert" });
  const keys = el("button", { type: "button", class: "quiet small", "aria-pressed": String(keysOn), onclick: toggleKeys });
  fill(
    main,
    el("h1", { class: "only-read" }, "Alerts"),
    el(
      "div",
      { class: "split" },
      el(
        "aside",
        { class: "queue", "aria-label": "Alerts" },
        waitingHead,
        nobody,
        waitingList,
        el("h2", {}, "Decided"),
        decidedList,
        el("p", { class: "keys muted" }, keys, el("span", {}, "V viable, X not viable, U undo, J and K next and previous, M sound")),
      ),
      place,
    ),
  );
  drawKeys();

  function draw() {
    const waiting = alerts.waiting();
    const decided = alerts.decided().slice(0, SHOWN_DECIDED);
    setText(waitingHead, `Waiting (${waiting.length})`);
    nobody.hidden = waiting.length > 0;
    arrange(waitingList, waiting);
    arrange(decidedList, decided);
    if (!open && waiting.length) show(waiting[0].alert);
    else if (!open) fill(place, el("div", { class: "empty" }, el("p", {}, "Nobody on the watchlist has been seen."), el("p", { class: "muted" }, "An alert opens here by itself, with a sound.")));
  }

  function arrange(list, items) {
    const wanted = items.map((alert) => card(alert));
    wanted.forEach((node, index) => {
      if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
    });
    while (list.children.length > wanted.length) list.lastElementChild.remove();
  }

  function card(alert) {
    let made = cards.get(alert.alert);
    if (!made) {
      const { text, priority, shape } = category(alert.category);
      const button = el("button", { type: "button", class: `card p${priority}`, onclick: () => show(alert.alert, true) });
      const when = el("span", { class: "muted" });
      const stands = el("span", { class: "state" });
      fill(
        button,
        el("span", { class: "mark", "aria-hidden": "true" }, shape),
        el("span", { class: "body" }, el("strong", {}, text), el("span", { class: "line" }, el("span", {}, el("span", { class: "only-read" }, `Priority ${priority}, camera `), alert.camera), when), stands),
      );
      made = { node: el("li", {}, button), button, when, stands };
      cards.set(alert.alert, made);
      const mark = () => performance.measure("lfr:painted", { start: "lfr:event", detail: { alert: alert.alert, committed: Date.parse(alert.created_at), painted: Date.now() } });
      requestAnimationFrame(() => setTimeout(mark)); // after the frame that shows it
    }
    setText(made.when, ago(alert.captured_at));
    setText(made.stands, stateText(alert.state));
    made.stands.hidden = alert.state === "new"; // its list says so
    made.stands.className = `state s-${alert.state}`;
    if (open === alert.alert) made.button.setAttribute("aria-current", "true");
    else made.button.removeAttribute("aria-current");
    return made.node;
  }

  function show(id, focus = false) {
    if (open !== id) {
      view?.close();
      open = id;
      view = alertView({ alert: alerts.byId.get(id), session, deployment, has, next, waiting: () => alerts.waiting().filter((one) => one.alert !== open).length });
      fill(place, view.node);
      draw();
    }
    if (focus) view.node.querySelector("h2").focus();
  }

  function next(step = 1) {
    const order = [...alerts.waiting(), ...alerts.decided().slice(0, SHOWN_DECIDED)].map((alert) => alert.alert);
    const waiting = alerts.waiting().find((alert) => alert.alert !== open);
    if (step === "waiting") {
      if (waiting) show(waiting.alert, true);
      return;
    }
    const at = order.indexOf(open) + step;
    if (order[at]) show(order[at], true);
  }

  const drawSoon = soon(draw);

  function onChange(event) {
    drawSoon();
    if (event.detail.id === open) view.update(alerts.byId.get(open), event.detail.action);
    else view?.othersChanged();
  }

  function onKey(event) {
    if (!keysOn || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if (event.target.matches?.("input:not([type=checkbox]), textarea, select") || document.querySelector("dialog[open]")) return;
    const does = { v: () => view?.press("viable"), x: () => view?.press("not_viable"), u: () => view?.press("undo"), j: () => next(1), k: () => next(-1), m: () => document.dispatchEvent(new Event("toggle-sound")) };
    const act = does[event.key.toLowerCase()];
    if (act) {
      event.preventDefault();
      act();
    }
  }

  function toggleKeys() {
    keysOn = !keysOn;
    localStorage.setItem("lfr-keys", keysOn ? "on" : "off");
    drawKeys();
  }

  function drawKeys() {
    keys.setAttribute("aria-pressed", String(keysOn));
    setText(keys, keysOn ? "Keys are on" : "Keys are off");
  }

  alerts.addEventListener("change", onChange);
  document.addEventListener("keydown", onKey);
  const ticking = setInterval(() => {
    for (const [id, made] of cards) setText(made.when, ago(alerts.byId.get(id).captured_at));
    view?.tick();
  }, 1_000);
  draw();

  return {
    deploymentChanged(now) {
      deployment = now;
      if (["withdrawn", "purged"].includes(now.state)) {
        view?.close();
        open = null;
        view = null;
        fill(place, notice(`The deployment was ${now.state}; nothing may come of its alerts.`, "bad"));
      }
    },
    close() {
      clearInterval(ticking);
      alerts.removeEventListener("change", onChange);
      document.removeEventListener("keydown", onKey);
      view?.close();
    },
  };
}
