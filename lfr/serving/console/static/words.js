// How things are said. The service's words stay as they are; these are for people.

const CATEGORIES = {
  "missing-at-risk": ["Missing, at risk", 1],
  "suspected-of-priority-offence": ["Suspected of a priority offence", 1],
  "unlawfully-at-large": ["Unlawfully at large", 2],
  "wanted-on-warrant": ["Wanted on warrant", 2],
  "subject-of-court-order": ["Subject of a court order", 3],
};
const SHAPES = { 1: "▲", 2: "◆", 3: "●" };
const STATES = {
  new: "Waiting for a decision",
  viable: "Viable",
  not_viable: "Not viable",
  lapsed: "Lapsed, nobody decided",
  engaged: "Engaged",
  not_engaged: "Not engaged",
  confirmed_true: "Right person",
  confirmed_false: "Wrong person",
};

export const KINDS = {
  arrest: "Arrest",
  "voluntary-attendance": "Voluntary attendance",
  "summons-or-warning": "Summons or warning",
  "order-checked": "Order checked",
  safeguarded: "Safeguarded",
  "no-further-action": "No further action",
  other: "Other",
};

export function category(name) {
  const [text, priority] = CATEGORIES[name] ?? [plain(name), 2];
  return { text, priority, shape: SHAPES[priority] };
}

export const state = (name) => STATES[name] ?? plain(name);

export function plain(name) {
  const text = String(name ?? "").replaceAll(/[-_.]/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

let offset = 0; // the service's clock against this device's
export function setClock(now) {
  offset = Date.parse(now) - Date.now();
}
export const clock = () => Date.now() + offset;

export const time = (text) => (text ? new Date(text).toLocaleTimeString("en-GB") : "–");
export const dateTime = (text) =>
  text ? new Date(text).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" }) : "–";

export function ago(text) {
  const seconds = Math.max(0, Math.round((clock() - Date.parse(text)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min ago`;
}

export function left(text) {
  const seconds = Math.floor((Date.parse(text) - clock()) / 1000);
  if (seconds <= 0) return null;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

export function percent(share) {
  if (share === null || share === undefined) return "–";
  const hundredths = share * 100;
  const digits = hundredths === 0 || hundredths >= 10 ? 0 : hundredths >= 1 ? 1 : 2;
  return `${hundredths.toFixed(digits)}%`;
}

export function rate(found) {
  if (!found || found.value === null) return "nothing counted yet";
  return `${found.count} of ${found.of}: ${percent(found.value)} (95% interval ${percent(found.low)} to ${percent(found.high)})`;
}

// What a score means, and what it does not.
export function scoreSentence(alert) {
  const over = alert.score - alert.threshold;
  const how = over < 0.03 ? "just over" : over < 0.12 ? "over" : "well over";
  return `Similarity ${alert.score.toFixed(2)}, ${how} the threshold of ${alert.threshold.toFixed(2)}. It is not the probability that this is the same person.`;
}

export function thresholdSentence(calibration) {
  if (!calibration?.target_fpir) return "What the threshold means is not known here.";
  const { fpir, tpir } = calibration;
  const target = `The threshold was set so that at most ${percent(calibration.target_fpir)} of passers-by who are not on a list of ${calibration.watchlist_size} raise an alert.`;
  const falsely = fpir?.of ? ` When it was measured, ${fpir.count} of ${fpir.of} did (it could be up to ${percent(fpir.high)})` : "";
  const truly = tpir?.of ? `, and ${tpir.count} of ${tpir.of} passes of listed people were recognised.` : ".";
  const drawn = calibration.simulated ? " Those passes were simulated, so this says little about a real street." : "";
  const few = calibration.verdict === "insufficient_data" ? " The data are too few to prove it." : "";
  return target + falsely + truly + drawn + few;
}

// The same in one breath, for the page that is read under pressure.
export function thresholdInShort(calibration) {
  if (!calibration?.target_fpir) return "";
  const { fpir } = calibration;
  const measured = fpir?.of ? ` Measured: ${fpir.count} of ${fpir.of}, so up to ${percent(fpir.high)}${calibration.simulated ? ", simulated" : ""}.` : "";
  const few = calibration.verdict === "insufficient_data" ? " Too few to prove it." : "";
  return `At this threshold at most ${percent(calibration.target_fpir)} of passers-by who are not listed should raise an alert.${measured}${few}`;
}

export const short = (digest) => (digest ? `${digest.slice(0, 12)}…` : "–");
