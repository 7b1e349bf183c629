// What the cameras see, with everybody's face made unrecognisable but that of a person in an alert.

import { deploymentPath, get } from "./api.js";
import { el, facts, fill, notice, setText } from "./dom.js";
import { ago } from "./words.js";

const STALE_S = 5;

export function camerasPage({ main, deployment }) {
  const id = deployment.deployment;
  const tiles = new Map();
  const grid = el("div", { class: "cameras" });
  const told = el("div", {});
  let watched = null;
  fill(main, el("div", { class: "page" }, el("h1", {}, "Cameras"), el("p", { class: "muted" }, "Faces are made unrecognisable before a picture leaves the camera's process; only a person in an alert stays visible. Nothing of it is kept. That you look is logged."), told, grid));

  function tile(camera) {
    const health = el("p", { class: "health" });
    const figures = el("div", {});
    const picture = el("div", { class: "frame wide" });
    const button = el("button", { type: "button", onclick: () => watch(watched === camera ? null : camera) }, "Look");
    const node = el("section", { class: "camera", "aria-label": `Camera ${camera}` }, el("div", { class: "title" }, el("h2", {}, camera), health, el("span", { class: "grow" }), button), picture, figures);
    grid.append(node);
    const made = { health, figures, picture, button };
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
      fill(made.figures, facts([["Faces seen", one.faces_seen], ["Frames looked at", one.frames], ["On their way now", one.waiting], ["Refused or dropped", one.refused]]));
    }
  }

  load();
  const timer = setInterval(load, 2_000);
  return {
    deploymentChanged(now) {
      if (now.state !== "live") watch(null);
      load();
    },
    close() {
      clearInterval(timer);
      watch(null);
    },
  };
}
