import { StorageError } from "./errors.ts";
import type { Setting } from "./operations-service.ts";

const durations = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;
const sizes = ["", "k", "m", "g", "t"];

/**
 * The value of a setting as people type it: `2s`, `10MiB`, `10MiB/s`, `25%`, `on`; a bare number is in the setting's unit.
 * Throws invalid. The bounds are checked by whoever takes the value.
 */
export function parseSettingValue({ name, unit }: Pick<Setting, "name" | "unit">, text: string): number {
  const value = parsers[unit](text.trim());
  if (value !== undefined && Number.isSafeInteger(value)) return value;
  throw new StorageError("invalid", "read setting", `${name} = ${text.slice(0, 40)}`, { hint: examples[unit] });
}

/** The value as people read it, in the largest unit that spells it exactly; parseSettingValue understands it. */
export function formatSettingValue({ unit }: Pick<Setting, "unit">, value: number): string {
  switch (unit) {
    case "ms":
      return value === 0 ? "0" : spelled(value, durations);
    case "bytes":
      return formatSize(value);
    case "bytes/s":
      return value === 0 ? "0" : `${formatSize(value)}/s`;
    case "percent":
      return `${value}%`;
    case "switch":
      return value === 1 ? "on" : "off";
    case "count":
      return String(value);
  }
}

const parsers: Readonly<Record<Setting["unit"], (text: string) => number | undefined>> = {
  ms: (text) => {
    const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?$/i.exec(text);
    const unit = (match?.[2] ?? "ms").toLowerCase().replace("min", "m");
    const size = durations.find(([name]) => name === unit)?.[1];
    return match && size !== undefined ? Math.round(Number(match[1]) * size) : undefined;
  },
  bytes: parseSize,
  "bytes/s": (text) => parseSize(text.replace(/\/s$/i, "")),
  percent: (text) => plain(text.replace(/\s*%$/, "")),
  switch: (text) => ({ on: 1, off: 0, "1": 1, "0": 0, true: 1, false: 0 })[text.toLowerCase()],
  count: (text) => plain(text.replaceAll(",", "")),
};

const examples: Readonly<Record<Setting["unit"], string>> = {
  ms: "A duration looks like 500ms, 2s, 10m, 12h or 30d.",
  bytes: "A size looks like 4096, 10MiB or 2GiB.",
  "bytes/s": "A rate looks like 10MiB or 10MiB/s.",
  percent: "A share looks like 25%.",
  switch: "It is on or off.",
  count: "It is a whole number.",
};

function plain(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  return match ? Math.round(Number(match[1]) * 1024 ** sizes.indexOf((match[2] ?? "").toLowerCase())) : undefined;
}

function formatSize(bytes: number): string {
  const units = sizes.map((size, power) => [size === "" ? "B" : `${size.toUpperCase()}iB`, 1024 ** power] as const);
  return bytes === 0 ? "0" : spelled(bytes, units.reverse());
}

function spelled(value: number, units: readonly (readonly [name: string, size: number])[]): string {
  const [name, size] = units.find(([, one]) => value % one === 0) ?? ["", 1];
  return `${value / size}${name}`;
}
