// A deployment's events, followed without loss: after a break it goes on from the last one that was seen.

import { Problem, tellSignedOut } from "./api.js";

const SILENT_MS = 6_000; // the service says something every two seconds
const WAITS_MS = [250, 500, 1_000, 2_000, 4_000];

// States: connecting, connected, lost, stopped. `onState(state, detail)` hears of each change at once.
export class Feed {
  constructor(path, { onEvent, onState, onCaughtUp }) {
    this.path = path;
    this.onEvent = onEvent;
    this.onState = onState;
    this.onCaughtUp = onCaughtUp;
    this.last = 0;
    this.tries = 0;
    this.over = false;
    this.wake = () => {};
    this.offline = () => this.#broken("this device is offline");
    this.online = () => this.wake();
    window.addEventListener("offline", this.offline);
    window.addEventListener("online", this.online);
    this.#run();
  }

  stop() {
    this.over = true;
    window.removeEventListener("offline", this.offline);
    window.removeEventListener("online", this.online);
    this.abort?.abort();
    this.wake();
  }

  async #run() {
    this.onState("connecting");
    while (!this.over) {
      try {
        await this.#follow();
        this.#broken("the service closed it");
      } catch (error) {
        if (this.over) return;
        if (error instanceof Problem && [401, 403, 404].includes(error.status)) {
          this.onState("stopped", error.message);
          if (error.status === 401) tellSignedOut(error.message);
          return;
        }
        this.#broken(error instanceof Problem ? error.message : "the service cannot be reached");
      }
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, WAITS_MS[Math.min(this.tries, WAITS_MS.length - 1)]);
      });
      this.tries += 1;
    }
  }

  #broken(why) {
    if (!this.over) this.onState("lost", why);
    this.abort?.abort();
  }

  async #follow() {
    this.abort = new AbortController();
    const { signal } = this.abort;
    const headers = { Accept: "text/event-stream", "Last-Event-ID": String(this.last) };
    const answer = await fetch(`/v1${this.path}`, { headers, signal, cache: "no-store" });
    if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
    this.onState("connected");
    this.tries = 0;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const silent = setTimeout(() => this.#broken("nothing has been heard for six seconds"), SILENT_MS);
      let read;
      try {
        read = await reader.read();
      } finally {
        clearTimeout(silent);
      }
      if (read.done) return;
      rest += read.value;
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        this.#take(rest.slice(0, end));
        rest = rest.slice(end + 2);
      }
    }
  }

  #take(block) {
    let id = null;
    const data = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("id: ")) id = Number(line.slice(4));
      else if (line.startsWith("data: ")) data.push(line.slice(6));
      else if (line.startsWith(":")) this.onCaughtUp();
    }
    if (!data.length) return;
    if (id !== null && id <= this.last) return; // seen already
    const event = JSON.parse(data.join("\n"));
    if (id !== null) this.last = id;
    this.onEvent(event);
  }
}
