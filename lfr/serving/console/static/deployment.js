// One deployment: what was authorised, what it came to, and the four ways in which it changes.

import { deploymentPath, get, post } from "./api.js";
import { confirmTyped } from "./confirm.js";
import { el, facts, fill, newId, notice, say, table } from "./dom.js";
import { dateTime, plain, rate, short, thresholdSentence } from "./words.js";

const ASKED = {
  purpose: "Purpose", place: "Place", why_there: "Why there", necessity: "Necessity", proportionality: "Proportionality", signage: "Signs",
  dpia: "Data protection impact assessment", appropriate_policy_document: "Appropriate policy document", equality_impact_assessment: "Equality impact assessment",
};

export function deploymentPage({ main, deployment, has, refresh }) {
  const id = deployment.deployment;
  const path = (rest) => deploymentPath(id, rest);
  const place = el("div", { class: "page" });
  let open = true;
  let told = null; // what the last change came to
  let asked = 0;
  let trial = null;
  fill(main, place);

  async function load() {
    asked += 1;
    const number = asked;
    let found;
    let record = null;
    try {
      found = await get(path(""));
      if (has("deployment.record")) record = await get(path("/record"));
    } catch (error) {
      fill(place, el("h1", {}, "Deployment"), notice(error.message, "bad"));
      return;
    }
    if (open && number === asked) draw(found, record);
  }

  function draw(found, record) {
    const { request, authorisation, calibration } = found;
    fill(
      place,
      el("div", { class: "title" }, el("h1", {}, found.name), el("span", { class: `pill d-${found.state}` }, plain(found.state))),
      found.notice && notice(`${plain(found.notice)}: ${calibration.verdict === "insufficient_data" ? "the evidence for this model and threshold is too small" : "the evidence does not allow it"}. It runs as a demonstration on consenting or made-up people only.`, "warn"),
      told,
      actions(found),
      el(
        "div",
        { class: "columns" },
        el("section", {}, el("h2", {}, "Authorised"), facts([
          ["Window", `${dateTime(found.starts_at)} to ${dateTime(found.ends_at)}`],
          ["Authorised by", authorisation ? `${authorisation.officer} (${authorisation.rank}), ${dateTime(authorisation.at)}` : "nobody yet"],
          authorisation?.reasons && ["Reasons", authorisation.reasons],
          ["Looked for", request.categories.map(plain).join(", ")],
          ["Cameras", found.cameras.map((one) => one.camera).join(", ")],
          ...Object.entries(ASKED).map(([name, text]) => request[name] && [text, request[name]]),
          ["Asked for by", `${found.created.by}, ${dateTime(found.created.at)}`],
          found.withdrawn && ["Withdrawn", `${dateTime(found.withdrawn.at)} by ${found.withdrawn.by}: ${found.withdrawn.reason ?? ""}`],
          found.purged && ["Purged", dateTime(found.purged.at)],
        ])),
        el("section", {}, el("h2", {}, "With what"), facts([
          ["Watchlist", `${found.watchlist.size} people, digest ${short(found.watchlist.digest)}`],
          ["Model", `${found.model.version}, digest ${short(found.model.digest)}`],
          ["Threshold", String(calibration.threshold)],
          ["Calibration", `${short(calibration.id)}, ${plain(calibration.verdict).toLowerCase()}`],
        ]), el("p", { class: "muted" }, thresholdSentence(calibration)), details(found)),
      ),
      record && figures(record),
      record && el("p", { class: "row" }, el("span", {}, "Take the record away:"), [["html", "page to print"], ["csv", "table (CSV)"], ["json", "JSON"]].map(([kind, text]) => el("a", { href: `/v1${path(`/record.${kind}`)}`, download: true, class: "target" }, text))),
      found.state === "live" && has("deployment.pass") && (trial ??= passForm(found)), // a pass that is under way outlives a drawing
    );
  }

  function details(found) {
    return el("details", {}, el("summary", {}, "Digests in full"), facts([
      ["Deployment", el("code", {}, found.deployment)],
      ["Watchlist", el("code", {}, found.watchlist.digest)],
      ["Model", el("code", {}, found.model.digest)],
      ["Calibration", el("code", {}, found.calibration.id)],
    ]));
  }

  function figures(record) {
    const cameras = record.cameras.map((one) => [one.camera, one.faces_seen, one.frames, one.alerts, one.true_alerts, one.false_alerts, one.unadjudicated]);
    return el(
      "section",
      {},
      el("h2", {}, record.provisional ? "So far" : "What it came to"),
      el("div", { class: "numbers" }, [
        ["Faces seen", record.faces_seen], ["Alerts", record.alerts], ["Viable", record.true_alerts], ["Not viable", record.false_alerts],
        ["Undecided", record.unadjudicated], ["Engaged", record.engagements], ["Arrests", record.arrests],
      ].map(([name, value]) => el("div", { class: "number" }, el("strong", {}, value), el("span", {}, name)))),
      facts([
        ["False alerts for each face seen", rate(record.false_alerts_per_face)],
        ["False alerts among alerts", rate(record.false_alerts_per_alert)],
        record.tpir && ["Field trial: passes recognised", rate(record.tpir)],
        record.held > 0 && ["Held as evidence", `${record.held} alerts`],
      ]),
      table("Figures of each camera", ["Camera", "Faces seen", "Frames", "Alerts", "Viable", "Not viable", "Undecided"], cameras),
    );
  }

  function actions(found) {
    const buttons = [];
    const add = (permission, states, name, style, act) => {
      if (has(permission) && states.includes(found.state)) buttons.push(el("button", { type: "button", class: style, onclick: act }, name));
    };
    add("deployment.authorise", ["draft"], "Authorise…", "primary", () =>
      change("authorisation", "Your own reasons: why it is necessary and proportionate", { title: "Authorise this deployment?", text: "You answer for it: who is looked for, where, when, and with what. Somebody else must have asked for it.", word: "authorise", button: "Authorise", danger: false }));
    add("deployment.start", ["authorised"], "Start…", "primary", () =>
      change("start", "", { title: "Start this deployment?", text: "From then on its cameras look for the people on its list, until its window closes. It can be started once.", word: "start", button: "Start", danger: false }));
    add("deployment.end", ["live"], "End…", "", () =>
      change("end", "", { title: "End this deployment?", text: "Frames are refused within a second. Alerts that wait can still be decided. It cannot be started again.", word: "end", button: "End" }));
    add("deployment.withdraw", ["authorised", "live", "ended"], "Withdraw…", "danger", () =>
      change("withdrawal", "Why it is withdrawn; name no person", { title: "Withdraw the authorisation?", text: "Use ends at once, and templates, alert images and keys are destroyed now. Alerts that wait lapse.", word: "withdraw", button: "Withdraw and purge" }));
    add("deployment.purge", ["ended", "withdrawn"], "Purge…", "danger", () =>
      change("purge", "", { title: "Purge this deployment?", text: "Templates, alert images and keys are destroyed now and cannot come back. The figures and the log stay.", word: "purge", button: "Purge" }));
    return buttons.length > 0 && el("div", { class: "row actions" }, buttons);
  }

  async function change(what, reason, asked) {
    const answer = await confirmTyped({ ...asked, reason: reason || null, act: (why) => post(path(`/${what}`), bodyOf(what, why)) });
    if (answer === undefined) return;
    say("Done.");
    await refresh();
    const proof = what === "withdrawal" || what === "purge" ? el("details", { class: "proof", open: true }, el("summary", {}, "Signed proof"), el("pre", { tabindex: 0 }, JSON.stringify(answer, null, 2))) : null;
    if (answer?.problem) {
      told = notice(`Use has ended, but destroying broke off and the next sweep goes on with it: ${answer.problem}`, "bad");
      await load();
      return;
    }
    told = [notice({ authorisation: "It is authorised.", start: "It is live.", end: "It has ended.", withdrawal: "Withdrawn, and everything of it is destroyed.", purge: "Everything of it is destroyed." }[what], "good"), proof];
    await load();
  }

  function bodyOf(what, why) {
    if (!why) return undefined;
    return what === "authorisation" ? { reasons: why } : { reason: why };
  }

  function passForm(found) {
    const subject = newId("subject");
    const camera = newId("camera");
    const told = el("div", { role: "status" });
    const inputs = { subject: el("input", { id: subject, maxlength: 200, required: true }), camera: el("select", { id: camera }, found.cameras.map((one) => el("option", {}, one.camera))) };
    let began = null;
    const button = el("button", { type: "submit", class: "primary" }, "They begin to walk now");
    const form = el("form", { class: "row" }, el("div", { class: "field" }, el("label", { for: subject }, "Subject on the list"), inputs.subject), el("div", { class: "field" }, el("label", { for: camera }, "Camera"), inputs.camera), button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!began) {
        began = new Date();
        button.textContent = "They have passed";
        fill(told, notice(`The pass began at ${began.toLocaleTimeString("en-GB")}.`, "info"));
        return;
      }
      try {
        await post(path("/passes"), { camera: inputs.camera.value, subject_id: inputs.subject.value.trim(), began_at: began.toISOString(), ended_at: new Date().toISOString() });
        fill(told, notice("The pass is logged.", "good"));
      } catch (error) {
        fill(told, notice(error.message, "bad"));
      }
      began = null;
      button.textContent = "They begin to walk now";
    });
    return el("section", {}, el("h2", {}, "Field trial"), el("p", { class: "muted" }, "A consenting subject of the list walks past a camera; the record counts how many such passes were recognised."), form, told);
  }

  load();
  return {
    deploymentChanged: () => load(),
    close() {
      open = false;
    },
  };
}
