// A dialog that does what cannot be undone only once its words were typed.

import { el, newId, notice, say } from "./dom.js";

// Resolves to what `act` returned, or undefined where it was cancelled. `stands()` is asked before anything is done.
export function confirmTyped({ title, text, word, button, reason = null, danger = true, act }) {
  return new Promise((resolve) => {
    const typedId = newId("typed");
    const reasonId = newId("reason");
    const titleId = newId("title");
    const typed = el("input", { id: typedId, autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
    const why = reason && el("textarea", { id: reasonId, rows: 2, maxlength: 4000, required: true });
    const wrong = el("div", { role: "alert" });
    const go = el("button", { type: "submit", class: danger ? "danger" : "primary", disabled: true }, button);
    const check = () => {
      go.disabled = typed.value.trim() !== word || Boolean(why && !why.value.trim());
    };
    const form = el(
      "form",
      { method: "dialog" },
      el("h2", { id: titleId }, title),
      el("p", {}, text),
      why && el("div", { class: "field" }, el("label", { for: reasonId }, reason), why),
      el("div", { class: "field" }, el("label", { for: typedId }, "Type ", el("strong", { class: "word" }, word), " to confirm"), typed),
      wrong,
      el("div", { class: "row end" }, el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), go),
    );
    const dialog = el("dialog", { "aria-labelledby": titleId }, form);
    let result;
    form.addEventListener("input", check);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (go.disabled) return;
      go.disabled = true;
      dialog.dataset.acting = "";
      try {
        result = (await act(why?.value.trim())) ?? null;
        dialog.close();
      } catch (error) {
        wrong.replaceChildren(notice(error.message, "bad"));
        say(error.message, { urgent: true });
        check();
      } finally {
        delete dialog.dataset.acting;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
    (why ?? typed).focus();
  });
}

// Closes what nobody has confirmed yet; one that is acting hears its answer.
export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog[open]:not([data-acting])")) dialog.close();
}
