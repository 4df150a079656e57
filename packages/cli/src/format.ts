const sizeUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Bytes for people, in IEC units with three digits: `512 B`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < sizeUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  // 1023.96 KiB would round to 1024 KiB.
  if (unit > 0 && unit < sizeUnits.length - 1 && value >= 1023.5) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : threeDigits(value)} ${sizeUnits[unit]}`;
}

function threeDigits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "");
}

/** A count with separators of thousands: `8,412`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** A count with its word: `1 file`, `3 files`. */
export function formatItems(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** How long ago, for people: `just now`, `5 min ago`, `3 days ago`; beyond a month the date. Both in wall clock ms. */
export function formatAge(atMs: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - atMs) / 1000);
  if (seconds < -60) return formatTime(atMs);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  if (days < 31) return `${days} ${days === 1 ? "day" : "days"} ago`;
  return formatTime(atMs).slice(0, 10);
}

/** RFC 3339 in UTC, to the millisecond. */
export function formatTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** A duration for people: `0.4 s`, `58 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Names as they may be shown in a terminal or a line of text: control characters and bidirectional overrides are spelled out. */
export function escapeControls(text: string): string {
  return text.replace(unsafeCharacters, (character) => {
    const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** Controls, lone surrogates, line and paragraph separators, bidirectional marks and isolates, the byte order mark. */
const unsafeCharacters = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** A size as people type it: `1048576`, `10M`, `10MiB`, `1.5g`. Powers of 1024. Undefined when it is none. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (!match) return undefined;
  const power = "kmgtp".indexOf((match[2] ?? "").toLowerCase()) + (match[2] ? 1 : 0);
  const bytes = Math.round(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A duration as people type it: `90s`, `15m`, `12h`, `30d`. Milliseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d|w)$/i.exec(text.trim());
  if (!match) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }[
    (match[2] ?? "").toLowerCase()
  ];
  const ms = Math.round(Number(match[1]) * (unit ?? Number.NaN));
  return Number.isSafeInteger(ms) ? ms : undefined;
}
