// The frame around every page: who is signed in, which deployment, whether the connection stands.

import { call, deploymentPath, get, onSignedOut } from "./api.js";
import { AlertStore } from "./alert_store.js";
import { auditPage } from "./audit.js";
import { alertsPage } from "./alerts.js";
import { camerasPage } from "./cameras.js";
import { closeDialogs } from "./confirm.js";
import { deploymentPage } from "./deployment.js";
import { el, fill, notice, say, setText, soon } from "./dom.js";
import { Feed } from "./feed.js";
import { signInPage } from "./sign_in.js";
import { chime, muted, setMuted, wakeSound } from "./sound.js";
import { category, clock, plain, setClock } from "./words.js";
import { watchlistsPage } from "./watchlists.js";

const PAGES = {
  alerts: { name: "Alerts", needs: "alert.list", make: alertsPage, deployment: true },
  cameras: { name: "Cameras", needs: "deployment.preview", make: camerasPage, deployment: true },
  deployment: { name: "Deployment", needs: "deployment.list", make: deploymentPage, deployment: true },
  watchlists: { name: "Watchlists", needs: "watchlist.list", make: watchlistsPage },
  audit: { name: "Audit", needs: "audit.read", make: auditPage },
};
const CONNECTION = {
  none: ["○", "Not following"],
  connecting: ["◌", "Connecting…"],
  connected: ["●", "Connected"],
  lost: ["✕", "Connection lost"],
  stopped: ["✕", "Not connected"],
};

const REFRESH_MS = 30_000;

const app = document.getElementById("app");
const state = { session: null, deployments: [], deployment: null, page: null, feed: null, alerts: null, shown: null };
const has = (permission) => state.session.permissions.includes(permission);

async function begin() {
  try {
    state.session = await get("/session");
  } catch (error) {
    showSignIn(error.status === 401 ? null : error.message);
    return;
  }
  setClock(state.session.now);
  await drawFrame();
}

function showSignIn(why) {
  stopFollowing();
  state.shown?.close?.();
  state.session = null;
  state.shown = null;
  state.deployment = null; // the address still names it, for whoever signs in next
  document.title = "Sign in · lfr console";
  fill(app, signInPage(why, begin));
  app.querySelector("input")?.focus();
}

onSignedOut((why) => {
  if (!state.session) return;
  closeDialogs();
  showSignIn(`You were signed out: ${why}.`);
});

async function drawFrame() {
  const pages = Object.entries(PAGES).filter(([, page]) => has(page.needs));
  state.picker = el("select", { id: "picker", onchange: () => go(state.page, state.picker.value) });
  state.connection = el("p", { class: "connection none", role: "status" });
  state.mute = el("button", { type: "button", class: "quiet", onclick: toggleSound });
  state.banner = el("div", { class: "banners" });
  state.main = el("main", { id: "main", tabindex: -1 });
  state.tabs = pages.map(([id, page]) => [id, el("a", { href: "#" + id }, page.name)]);
  fill(
    app,
    el(
      "header",
      { class: "top" },
      el("span", { class: "brand" }, "lfr"),
      el("label", { class: "picker", for: "picker" }, el("span", { class: "only-read" }, "Deployment"), state.picker),
      state.connection,
      el("nav", { class: "tabs", "aria-label": "Pages" }, state.tabs.map(([, link]) => link)),
      el("span", { class: "grow" }),
      state.mute,
      el("span", { class: "who", title: state.session.id }, el("span", {}, state.session.roles.map(plain).join(", ")), el("span", { class: "muted" }, state.session.id)),
      el("button", { type: "button", class: "quiet", onclick: signOut }, "Sign out"),
    ),
    state.banner,
    state.main,
  );
  drawMute();
  drawConnection("none");
  try {
    await loadDeployments();
  } catch (error) {
    if (!state.session) return;
    fill(state.main, el("div", { class: "page" }, notice(error.message, "bad"), el("p", {}, el("button", { type: "button", onclick: begin }, "Try again"))));
    return;
  }
  if (!pages.length) {
    fill(state.main, notice("Your key has no page here. It works on the command line and for other programs.", "info"));
    return;
  }
  route();
}

async function loadDeployments() {
  state.deployments = has("deployment.list") ? (await get("/deployments")).deployments : [];
  const options = state.deployments.map((one) => el("option", { value: one.deployment }, `${one.name} (${one.state})`));
  const words = (list) => list.map((one) => `${one.value} ${one.textContent}`).join("\n");
  if (words([...state.picker.options]) !== words(options)) fill(state.picker, options);
  state.picker.disabled = !state.deployments.length;
  if (state.deployment) state.picker.value = state.deployment;
}

function go(page, deployment) {
  location.hash = deployment ? `${page}/${deployment}` : page;
}

function route() {
  if (!state.session) return;
  const [asked, id] = location.hash.slice(1).split("/");
  const allowed = state.tabs.map(([name]) => name);
  const page = allowed.includes(asked) ? asked : allowed[0];
  const known = state.deployments.map((one) => one.deployment);
  const fallback = state.deployment ?? (state.deployments.find((one) => one.state === "live") ?? state.deployments[0])?.deployment;
  show(page, known.includes(id) ? id : fallback ?? null);
}

function show(page, deployment) {
  state.page = page;
  if (deployment !== state.deployment) {
    state.deployment = deployment;
    follow();
  }
  if (deployment) state.picker.value = deployment;
  for (const [id, link] of state.tabs) {
    link.setAttribute("href", deployment && PAGES[id].deployment ? `#${id}/${deployment}` : `#${id}`);
    if (id === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  closeDialogs();
  state.shown?.close?.();
  state.shown = null;
  drawBanner();
  drawTitle();
  if (PAGES[page].deployment && !deployment) {
    fill(state.main, el("h1", {}, PAGES[page].name), notice("There is no deployment yet.", "info"));
    return;
  }
  state.shown = PAGES[page].make({
    main: state.main,
    session: state.session,
    deployment: deployment && { ...about() },
    alerts: state.alerts,
    has,
    refresh: () => refresh({ own: true }),
  });
}

const about = () => state.deployments.find((one) => one.deployment === state.deployment);

function follow() {
  stopFollowing();
  if (!state.deployment || !has("alert.list")) return;
  const alerts = new AlertStore();
  state.alerts = alerts;
  alerts.addEventListener("change", soon(drawTitle));
  alerts.addEventListener("raised", (event) => {
    const { text, priority } = category(event.detail.category);
    chime(priority);
    say(`New alert: ${text}, camera ${event.detail.camera}`, { urgent: true });
  });
  alerts.addEventListener("deployment", onDeploymentEvent);
  state.feed = new Feed(deploymentPath(state.deployment, "/events"), {
    onEvent: (event) => alerts.take(event, clock()),
    onState: drawConnection,
    onCaughtUp: () => {
      alerts.caughtUp = true;
    },
  });
}

function stopFollowing() {
  state.feed?.stop();
  state.feed = null;
  state.alerts = null;
}

async function onDeploymentEvent(event) {
  if (!event.detail.fresh) return;
  try {
    await refresh();
  } catch {
    closeDialogs(); // it may be over; the connection's own state says the rest
  }
}

// Asks how the deployments stand, and tells the page where the one that is shown has changed without its doing.
async function refresh({ own = false } = {}) {
  const before = about()?.state;
  await loadDeployments();
  drawBanner();
  const after = about()?.state;
  if (own || before === after || !after) return;
  closeDialogs();
  say(`The deployment is ${after}.`, { urgent: true });
  state.shown?.deploymentChanged?.({ ...about() });
}

function drawBanner() {
  const deployment = about();
  const banners = [];
  if (deployment?.demo) banners.push(notice("Demonstration: not approved for field use. Nothing here may be acted on in the street.", "warn"));
  if (deployment && deployment.state !== "live") {
    banners.push(notice(`This deployment is ${deployment.state}: no new alerts come.`, deployment.state === "withdrawn" ? "bad" : "info"));
  }
  fill(state.banner, banners);
}

function drawConnection(name, why = "") {
  if (!state.connection) return;
  const [shape, text] = CONNECTION[name];
  state.connection.className = `connection ${name}`;
  if (state.connection.dataset.name === name) return;
  state.connection.dataset.name = name;
  fill(state.connection, el("span", { "aria-hidden": "true", class: "shape" }, shape), el("span", {}, text));
  state.connection.title = name === "lost" ? `${why}; it tries again by itself` : why;
  state.main?.classList.toggle("stale", name === "lost");
}

function drawTitle() {
  const waiting = state.alerts?.waiting().length ?? 0;
  const page = PAGES[state.page]?.name ?? "lfr";
  document.title = `${waiting ? `(${waiting}) ` : ""}${page} · lfr console`;
  const link = state.tabs?.find(([id]) => id === "alerts")?.[1];
  if (link) setText(link, waiting ? `Alerts (${waiting})` : "Alerts");
}

function drawMute() {
  setText(state.mute, muted() ? "♪ Sound off" : "♪ Sound on");
}

function toggleSound() {
  setMuted(!muted());
  wakeSound();
  drawMute();
}

async function signOut() {
  try {
    await call("DELETE", "/session");
  } catch (error) {
    if (error.status !== 401) {
      say(error.message, { urgent: true });
      fill(state.banner, notice(`You are still signed in: ${error.message}`, "bad"));
      return;
    }
  }
  showSignIn(null);
}

// A deployment that somebody else starts must not wait for this page to be loaded again.
setInterval(() => {
  if (state.session && !document.hidden) refresh().catch(() => {}); // the connection's own state says it
}, REFRESH_MS);
window.addEventListener("hashchange", route);
window.addEventListener("pointerdown", wakeSound, { once: true });
window.addEventListener("keydown", wakeSound, { once: true });
document.addEventListener("toggle-sound", toggleSound);
begin();
