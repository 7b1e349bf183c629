// Two short tones for an alert, made here; nothing is loaded. Muting is remembered on this device.

const KEY = "lfr-muted";
const REST_MS = 700; // many alerts at once are one sound
let context = null;
let last = 0;

export const muted = () => localStorage.getItem(KEY) === "yes";

export function setMuted(value) {
  localStorage.setItem(KEY, value ? "yes" : "no");
}

// Browsers let a page sound only after somebody has touched it.
export function wakeSound() {
  context ??= new AudioContext();
  context.resume().catch(() => {});
}

export function chime(priority) {
  if (muted() || context?.state !== "running" || Date.now() - last < REST_MS) return;
  last = Date.now();
  const tones = priority === 1 ? [880, 1175, 880, 1175] : [660, 880];
  tones.forEach((pitch, index) => {
    const at = context.currentTime + index * 0.16;
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.2, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.15);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.16);
  });
}
