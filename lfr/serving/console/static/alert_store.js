// The alerts of one deployment as its events tell them.

import { category } from "./words.js";

const FRESH_MS = 60_000; // at first, older ones are history: no sound for them

export class AlertStore extends EventTarget {
  constructor() {
    super();
    this.byId = new Map();
    this.caughtUp = false; // then whatever comes is news, however long it was on its way
  }

  // Alerts nobody has decided yet: most urgent first, then oldest first.
  waiting() {
    return [...this.byId.values()]
      .filter((alert) => alert.state === "new")
      .sort((a, b) => category(a.category).priority - category(b.category).priority || a.created_at.localeCompare(b.created_at));
  }

  // Every other one, newest first.
  decided() {
    return [...this.byId.values()].filter((alert) => alert.state !== "new").sort((a, b) => b.created_at.localeCompare(a.created_at));
  }

  take(event, now) {
    const fresh = this.caughtUp || now - Date.parse(event.time) < FRESH_MS;
    const { alert, action } = event;
    if (!alert) {
      this.#tell("deployment", { action, fresh });
      return;
    }
    const raised = action === "alert.raise" && !this.byId.has(alert.alert);
    if (raised) performance.mark("lfr:event", { detail: alert.alert });
    this.byId.set(alert.alert, { ...this.byId.get(alert.alert), ...alert });
    this.#tell("change", { id: alert.alert, action });
    if (raised && fresh && alert.state === "new") this.#tell("raised", alert);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
