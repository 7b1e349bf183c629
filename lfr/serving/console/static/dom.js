// Elements from plain values. Text is always text: nothing here can become markup.

export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name === "value" || name === "disabled" || name === "checked") made[name] = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...flat(children));
  return made;
}

export function svg(tag, given = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(given)) made.setAttribute(name, String(value));
  made.append(...flat(children));
  return made;
}

export function fill(parent, ...children) {
  parent.replaceChildren(...flat(children));
  return parent;
}

// Changes a text only where it differs, so that a screen reader is not told the same thing twice.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function say(text, { urgent = false } = {}) {
  document.getElementById(urgent ? "urgent" : "said").textContent = text;
}

// Several calls in one turn become one, in a moment: a deployment's history may be thousands of events.
export function soon(does) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      does();
    });
  };
}

export function facts(rows) {
  return el(
    "dl",
    { class: "facts" },
    rows.filter(Boolean).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value ?? "–"))),
  );
}

export function table(caption, heads, rows, { empty = "None." } = {}) {
  if (!rows.length) return el("p", { class: "muted" }, empty);
  return el(
    "div",
    { class: "scrolls", tabindex: 0, role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", { class: "only-read" }, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell ?? "–"))))),
    ),
  );
}

export function notice(text, kind = "info") {
  const sign = { info: "i", warn: "!", bad: "✕", good: "✓" }[kind];
  return el("p", { class: `notice ${kind}` }, el("span", { class: "sign", "aria-hidden": "true" }, sign), el("span", {}, text));
}

let ids = 0;
export function newId(what) {
  ids += 1;
  return `${what}-${ids}`;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
}
