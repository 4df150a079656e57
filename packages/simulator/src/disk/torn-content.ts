import type { FileChange } from "./disk-operation.ts";
import { GrowingBytes } from "./growing-bytes.ts";

/** What may be left of a file whose last changes were not synced. A variant that a file does not know is `kept`. */
export interface ContentVariants {
  kept(): Uint8Array;
  names(): string[];
  named(name: string): Uint8Array;
}

const sector = 512;
const page = 4096;

/** The variants of durable bytes with changes that hang in the balance. */
export function contentVariants(durable: Uint8Array, pending: readonly FileChange[]): ContentVariants {
  const kept = (): Uint8Array => replay(durable, pending);
  const variants = new Map<string, () => Uint8Array>([
    ["kept", kept],
    ["dropped", (): Uint8Array => durable],
    ["zeros in the new length", (): Uint8Array => filled(durable, kept().length, () => 0)],
    ["garbage in the new length", (): Uint8Array => filled(durable, kept().length, (at) => (at * 167 + 13) & 255)],
  ]);
  const last = pending.at(-1);
  if (pending.length > 1 && last) variants.set("last change only", () => replay(durable, [last]));
  for (const cut of last?.kind === "write" ? cutsOf(last) : []) addTorn(variants, { durable, pending, cut });
  return {
    kept,
    names: () => [...variants.keys()],
    named: (name) => (variants.get(name) ?? kept)(),
  };
}

function addTorn(
  variants: Map<string, () => Uint8Array>,
  { durable, pending, cut }: { durable: Uint8Array; pending: readonly FileChange[]; cut: number },
): void {
  const last = pending.at(-1);
  if (last?.kind !== "write") return;
  const before = pending.slice(0, -1);
  const torn = (): Uint8Array => replay(durable, [...before, { ...last, bytes: last.bytes.subarray(0, cut) }]);
  variants.set(`torn at ${cut}`, torn);
  variants.set(`torn at ${cut}, then zeros`, () => filled(torn(), replay(durable, pending).length, () => 0));
  variants.set(`only from ${cut} on`, () => {
    const end = { ...last, position: last.position + cut, bytes: last.bytes.subarray(cut) };
    return replay(durable, [...before, end]);
  });
}

/** Places in a write at which it may be torn: near both ends, in the middle, and at edges of sectors and pages. */
function cutsOf(write: { readonly position: number; readonly bytes: Uint8Array }): number[] {
  const length = write.bytes.length;
  const edges = [sector, page].flatMap((size) => {
    const first = size - (write.position % size);
    const last = Math.floor((write.position + length - 1) / size) * size - write.position;
    return [first, last];
  });
  const cuts = new Set([1, 8, 100, Math.floor(length / 2), length - 9, length - 1, ...edges]);
  return [...cuts].filter((cut) => cut > 0 && cut < length).sort((a, b) => a - b);
}

function replay(durable: Uint8Array, changes: readonly FileChange[]): Uint8Array {
  const bytes = new GrowingBytes(durable);
  for (const change of changes) {
    if (change.kind === "write") bytes.write(change.bytes, change.position);
    else bytes.truncate(change.length);
  }
  return bytes.toBytes();
}

function filled(start: Uint8Array, length: number, byteAt: (at: number) => number): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, start.length));
  for (let at = start.length; at < bytes.length; at++) bytes[at] = byteAt(at);
  bytes.set(start);
  return bytes;
}
