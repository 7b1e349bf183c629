// Signing in: the key goes to the service once and comes back as a cookie that no script can read.

import { post } from "./api.js";
import { el, fill, notice, say } from "./dom.js";

export function signInPage(why, done) {
  const wrong = el("div", { id: "wrong" }, why && notice(why, "warn"));
  const key = el("input", {
    id: "key", type: "password", autocomplete: "current-password", spellcheck: "false", required: true, "aria-describedby": "wrong key-hint",
  });
  const button = el("button", { type: "submit", class: "primary wide" }, "Sign in");
  const form = el(
    "form",
    {},
    el("div", { class: "field" }, el("label", { for: "key" }, "Your key"), key, el("p", { id: "key-hint", class: "muted" }, "It begins with lfr_ and is yours alone. The session ends after twelve hours.")),
    wrong,
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!key.value.trim()) {
      fill(wrong, notice("Enter your key.", "bad"));
      key.focus();
      return;
    }
    button.disabled = true;
    try {
      await post("/session", { key: key.value.trim() });
      key.value = "";
      say("Signed in.");
      await done();
    } catch (error) {
      const text = error.status === 401 ? "That key is not valid here." : error.message;
      fill(wrong, notice(text, "bad"));
      say(text, { urgent: true });
      key.select();
    } finally {
      button.disabled = false;
    }
  });
  return el(
    "main",
    { id: "main", class: "sign-in" },
    el("h1", {}, "lfr console"),
    el("p", {}, "Live facial recognition under control. An alert is advice: a person decides."),
    !window.isSecureContext && notice("This page came over an unprotected connection, so signing in will not work. Use https.", "bad"),
    form,
  );
}
