const special = /[&<>"\p{Cc}\uFFFE\uFFFF]/u;
const specials = /[&<>"\p{Cc}\uFFFE\uFFFF]/gu;
const named: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/**
 * Text as it stands inside an element. Control characters become character references, as S3 writes them: an XML 1.0
 * reader refuses most of them, which is what `encoding-type=url` is for.
 */
export function escapeXml(text: string): string {
  return special.test(text) ? text.replace(specials, reference) : text;
}

function reference(character: string): string {
  return named[character] ?? `&#x${character.charCodeAt(0).toString(16)};`;
}

const plain = /^[A-Za-z0-9_.*/-]*$/;
const loneSurrogate = /\p{Surrogate}/u;
const loneSurrogates = /\p{Surrogate}/gu;
const leftByEncodeUri = /[;,?:@&=+$#!'()~]/;
const allLeftByEncodeUri = /[;,?:@&=+$#!'()~]/g;

/** A key under `encoding-type=url`: a form's encoding, with `/` kept. Lone surrogates become U+FFFD. */
export function urlEncode(key: string): string {
  if (plain.test(key)) return key;
  let encoded = encodeURI(loneSurrogate.test(key) ? key.replace(loneSurrogates, "\uFFFD") : key);
  if (leftByEncodeUri.test(encoded)) encoded = encoded.replace(allLeftByEncodeUri, percent);
  return encoded.includes("%20") ? encoded.replaceAll("%20", "+") : encoded;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** A leaf element, or nothing where the value is absent. The name is a literal of the code. */
export function leaf(name: string, value: string | number | boolean | undefined): string {
  if (value === undefined) return "";
  return `<${name}>${typeof value === "string" ? escapeXml(value) : value}</${name}>`;
}

/** An element with content that is XML already. */
export function nest(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

const dayMs = 86_400_000;
const twoDigits = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, "0"));
let day = { startMs: Number.NaN, text: "" };

/** A time as S3 writes it, to the millisecond and in UTC. Times in a list are close together, so the last day is kept. */
export function xmlTime(timeMs: number): string {
  let sinceMs = timeMs - day.startMs;
  if (!(sinceMs >= 0 && sinceMs < dayMs)) {
    const startMs = Math.floor(timeMs / dayMs) * dayMs;
    day = { startMs, text: new Date(startMs).toISOString().slice(0, -"00:00:00.000Z".length) };
    sinceMs = timeMs - startMs;
  }
  const seconds = Math.floor(sinceMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const thousandths = String(Math.floor(sinceMs - seconds * 1000)).padStart(3, "0");
  return `${day.text}${twoDigits[Math.floor(minutes / 60)]}:${twoDigits[minutes % 60]}:${twoDigits[seconds % 60]}.${thousandths}Z`;
}
