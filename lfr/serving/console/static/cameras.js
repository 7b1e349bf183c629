// What the cameras see, with everybody's face made unrecognisable but that of a person in an alert.

import { call, deploymentPath, get, post } from "./api.js";
import { el, facts, fill, newId, notice, say, setText } from "./dom.js";
import { ago } from "./words.js";

const STALE_S = 5;
const READS = ["asked", "reading", "lost"];

export function camerasPage({ main, deployment, has }) {
  const id = deployment.deployment;
  let sources = [];
  let live = deployment.state === "live";
  const tiles = new Map();
  const grid = el("div", { class: "cameras" });
  const told = el("div", {});
  let watched = null;
  fill(main, el("div", { class: "page" }, el("h1", {}, "Cameras"), el("p", { class: "muted" }, "Faces are made unrecognisable before a picture leaves the camera's process; only a person in an alert stays visible. Nothing of it is kept. That you look is logged."), told, grid));

  function tile(camera) {
    const health = el("p", { class: "health" });
    const figures = el("div", {});
    const feed = el("div", { class: "feed" });
    const picture = el("div", { class: "frame wide" });
    const button = el("button", { type: "button", onclick: () => watch(watched === camera ? null : camera) }, "Look");
    const node = el("section", { class: "camera", "aria-label": `Camera ${camera}` }, el("div", { class: "title" }, el("h2", {}, camera), health, el("span", { class: "grow" }), button), picture, figures, feed);
    grid.append(node);
    const made = { health, figures, picture, button, feed, shown: null };
    tiles.set(camera, made);
    rest(made);
    return made;
  }

  function rest(made) {
    fill(made.picture, el("p", { class: "missing" }, "Not looking."));
    setText(made.button, "Look");
  }

  // One at a time: each costs the camera some of its time.
  function watch(camera) {
    if (watched) rest(tiles.get(watched));
    watched = camera;
    if (!camera) return;
    const made = tiles.get(camera);
    const image = el("img", { alt: `Camera ${camera}, live, faces made unrecognisable` });
    const waiting = el("p", { class: "missing" }, "Waiting for a frame…");
    image.addEventListener("load", () => waiting.remove());
    image.addEventListener("error", () => fill(made.picture, el("p", { class: "missing" }, "No picture: the camera sends none, or the deployment is over.")));
    fill(made.picture, image, waiting);
    image.src = `/v1${deploymentPath(id, `/cameras/${encodeURIComponent(camera)}/preview`)}`;
    setText(made.button, "Stop looking");
  }

  // What the service itself reads for a camera; drawn anew only where it changed, so that a choice is not lost.
  function drawFeed(made, camera, feed) {
    const reads = feed && READS.includes(feed.state);
    const now = JSON.stringify([feed, sources, live]);
    if (now === made.shown) return;
    made.shown = now;
    const stands = feed && { asked: "Begins to read", reading: "Reads", lost: "Tries again to read", ended: "Has stopped reading", failed: "Could not read" }[feed.state];
    const line = feed && el("p", { class: "muted" }, `${stands} ${feed.source}${feed.reason ? `: ${feed.reason}` : ""}`);
    if (!has("deployment.feed") || !live || (!reads && !sources.length)) return fill(made.feed, line);
    if (reads) return fill(made.feed, el("div", { class: "row" }, line, el("button", { type: "button", onclick: () => change(camera, () => call("DELETE", path(camera))) }, `Stop reading ${feed.source}`)));
    const choice = newId("source");
    const select = el("select", { id: choice }, sources.map((name) => el("option", {}, name)));
    fill(made.feed, line, el("div", { class: "row" }, el("label", { for: choice }, `Source for ${camera}`), select, el("button", { type: "button", onclick: () => change(camera, () => post(deploymentPath(id, "/cameras"), { camera, source: select.value })) }, "Read it")));
  }

  const path = (camera) => deploymentPath(id, `/cameras/${encodeURIComponent(camera)}`);

  async function change(camera, ask) {
    try {
      const feed = await ask();
      say(READS.includes(feed.state) ? `Camera ${camera} is read from ${feed.source}.` : `Camera ${camera} is no longer read.`);
      fill(told);
    } catch (error) {
      fill(told, notice(error.message, "bad"));
      say(error.message, { urgent: true });
    }
    await load();
  }

  async function load() {
    let found;
    try {
      found = (await get(deploymentPath(id, "/camera-health"))).cameras;
    } catch (error) {
      fill(told, notice(error.message, "bad"));
      return;
    }
    fill(told);
    for (const one of found) {
      const made = tiles.get(one.camera) ?? tile(one.camera);
      const [shape, text, kind] = one.last_frame_at === null ? ["○", "No frame yet", "none"] : one.silent_s > STALE_S ? ["✕", `Silent: last frame ${ago(one.last_frame_at)}`, "lost"] : ["●", "Sending", "connected"];
      made.health.className = `health connection ${kind}`;
      fill(made.health, el("span", { "aria-hidden": "true", class: "shape" }, shape), el("span", {}, text));
      fill(made.figures, facts([["Faces seen", one.faces_seen], ["Frames looked at", one.frames], ["On their way now", one.waiting], ["Dropped", one.dropped], ["Refused", one.refused]]));
      drawFeed(made, one.camera, one.feed);
    }
  }

  async function begin() {
    if (has("deployment.feed")) sources = (await get("/sources").catch(() => ({ sources: [] }))).sources;
    await load();
  }

  begin();
  const timer = setInterval(load, 2_000);
  return {
    deploymentChanged(now) {
      live = now.state === "live";
      if (!live) watch(null);
      load();
    },
    close() {
      clearInterval(timer);
      watch(null);
    },
  };
}
