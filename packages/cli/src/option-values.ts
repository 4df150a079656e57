import { InvalidArgumentError } from "commander";
import { parseBytes, parseDuration } from "./format.ts";

/** For commander: a whole number from 1 to 1024. */
export function countValue(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > 1024) {
    throw new InvalidArgumentError("It is a whole number from 1 to 1024.");
  }
  return value;
}

/** For commander: a port, 0 for any free one. */
export function portValue(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return value;
}

/** For commander: a duration such as 30d, in ms. */
export function durationValue(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError("A duration looks like 90s, 15m, 12h or 30d.");
  return ms;
}

/** For commander: a size such as 10MiB, in bytes. */
export function bytesValue(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined) throw new InvalidArgumentError("A size looks like 4096, 10M or 1.5GiB.");
  return bytes;
}

/** Bytes of a file: `length` absent means up to the end; a negative `offset` counts from the end. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number | undefined;
}

/** For commander: `a-b` (both included), `a-` or `-n` (the last n bytes), as in HTTP. */
export function rangeValue(text: string): ByteRange {
  const match = /^(\d*)-(\d*)$/.exec(text);
  const [first, last] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (!match || (first === "" && last === ""))
    throw new InvalidArgumentError("A range looks like 0-4095, 4096- or -100.");
  if (first === "") return { offset: -Number(last), length: undefined };
  if (last === "") return { offset: Number(first), length: undefined };
  if (Number(last) < Number(first)) throw new InvalidArgumentError("The range ends before it begins.");
  return { offset: Number(first), length: Number(last) - Number(first) + 1 };
}
