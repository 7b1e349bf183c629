// Every question to the service goes through here; the browser adds the session's cookie by itself.

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? `the service answered ${status}`);
    this.status = status;
    this.type = document.type ?? "";
    this.requestId = document.request_id ?? null;
  }
}

export class Unreachable extends Error {
  constructor(method) {
    super(
      method === "GET"
        ? "The service cannot be reached."
        : "The service cannot be reached. Whether this was recorded shows once the connection is back.",
    );
    this.status = 0;
  }
}

const signedOut = new EventTarget();

export function onSignedOut(listener) {
  signedOut.addEventListener("out", (event) => listener(event.detail));
}

export async function call(method, path, body) {
  const asked = { method, headers: { Accept: "application/json" }, cache: "no-store" };
  if (body !== undefined) {
    asked.headers["Content-Type"] = "application/json";
    asked.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(`/v1${path}`, asked);
  } catch {
    throw new Unreachable(method);
  }
  if (answer.status === 204) return null;
  const document = await answer.json().catch(() => ({}));
  if (answer.ok) return document;
  const problem = new Problem(answer.status, document);
  if (answer.status === 401 && path !== "/session") tellSignedOut(problem.message);
  throw problem;
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body);

export function tellSignedOut(why) {
  signedOut.dispatchEvent(new CustomEvent("out", { detail: why }));
}

export function imageUrl(alertId, which, purpose, { aligned = true, number = 0 } = {}) {
  return `/v1/alerts/${encodeURIComponent(alertId)}/images/${which}?aligned=${aligned}&number=${number}&purpose=${encodeURIComponent(purpose)}`;
}

export function deploymentPath(id, rest = "") {
  return `/deployments/${encodeURIComponent(id)}${rest}`;
}
