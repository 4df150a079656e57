import { StorageError } from "./errors.ts";

const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const hexDigits: Int8Array = Int8Array.from({ length: 128 }, (_, code) =>
  "0123456789abcdef".indexOf(String.fromCharCode(code)),
);
const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Two lower-case hex digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index++) text += hexOfByte[bytes[index] as number];
  return text;
}

/** Throws invalid unless the text is an even number of lower-case hex digits. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let index = 0; index < bytes.length; index++) {
    // A character that is no digit is −1 in the table or beyond it, and makes the whole negative.
    const value =
      ((hexDigits[text.charCodeAt(index * 2)] ?? -1) << 4) | (hexDigits[text.charCodeAt(index * 2 + 1)] ?? -1);
    if (value < 0) throw new StorageError("invalid", "decode hex", text.slice(0, 80));
    bytes[index] = value;
  }
  if (text.length % 2 !== 0) throw new StorageError("invalid", "decode hex", text.slice(0, 80));
  return bytes;
}

/** Base 64 with the URL alphabet and no padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index;
    const word = ((bytes[index] as number) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    text += base64Alphabet.charAt(word >> 18) + base64Alphabet.charAt((word >> 12) & 63);
    if (left > 1) text += base64Alphabet.charAt((word >> 6) & 63);
    if (left > 2) text += base64Alphabet.charAt(word & 63);
  }
  return text;
}

/** Throws invalid unless the text is what toBase64Url writes. */
export function fromBase64Url(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let written = 0;
  for (const digit of text) {
    const value = base64Alphabet.indexOf(digit);
    if (value < 0) throw notBase64Url(text);
    word = ((word << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[written++] = (word >> bits) & 255;
  }
  // One spelling for each value: no lone last digit, and no bits that are not part of a byte.
  if (bits === 6 || (word & ((1 << bits) - 1)) !== 0) throw notBase64Url(text);
  return bytes;
}

function notBase64Url(text: string): StorageError {
  return new StorageError("invalid", "decode base64url", text.slice(0, 80));
}

/** The UTF-8 bytes of a text; a lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Throws invalid unless the bytes are well-formed UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch (cause) {
    throw new StorageError("invalid", "decode UTF-8", toHex(bytes.subarray(0, 16)), { cause });
  }
}

/** Byte order: negative when a sorts before b. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Equality whose time tells nothing about where the bytes differ. */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++) difference |= (a[index] as number) ^ (b[index] ?? 0);
  return difference === 0;
}

/** One array with the bytes of all. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
