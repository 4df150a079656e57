import { chunkState } from "../database/chunk-rows.ts";
import type { Suspicion } from "../findings.ts";
import { type CopyState, type DiskCopy, faultDetails } from "./disk-copy.ts";
import type { GroupRows, Member } from "./group-rows.ts";

/** Member disks that this run cannot see: gone with their folder, or on another machine. */
export interface Sight {
  /** True when copies on disks that were not named count as good. */
  readonly partial: boolean;
  readonly seen: ReadonlySet<number>;
}

/** A chunk that versions need and that has fewer good copies than it should. */
export interface ShortChunk {
  /** Its place in the rows of the group. */
  readonly index: number;
  readonly lost: boolean;
}

/** What there is to say of a group. */
export interface GroupVerdict {
  readonly suspicions: readonly Suspicion[];
  readonly short: readonly ShortChunk[];
}

/** Compares what the rows of a group say with what its disks hold. */
export function judgeGroup(rows: GroupRows, copies: readonly DiskCopy[], sight: Sight): GroupVerdict {
  const suspicions: Suspicion[] = [...membership(rows), ...copies.flatMap((copy) => [...surplusOf(rows, copy)])];
  const short: ShortChunk[] = [];
  const { hashes, lengths, references, states } = rows.chunks;
  let [idle, idleBytes] = [0, 0];
  for (let index = 0; index < hashes.count; index++) {
    if (states[index] === chunkState.condemned) continue;
    const stand = standOf(rows, copies, { index, sight });
    if (stand.nodes >= wantedCopies(rows) && states[index] === chunkState.live) continue;
    const bytes = lengths[index] ?? 0;
    if (references[index] === 0) {
      if (states[index] === chunkState.live) [idle, idleBytes] = [idle + 1, idleBytes + bytes];
      continue;
    }
    short.push({ index, lost: stand.nodes === 0 || states[index] === chunkState.lost });
  }
  if (idle > 0) {
    const message = `group ${rows.id}: ${idle} chunks that no version needs now have fewer copies than they should`;
    suspicions.push({ kind: "idle-short", message, count: idle, bytes: idleBytes, details: { group: rows.id } });
  }
  suspicions.push(...copies.flatMap((copy) => [...tellFaults(rows, copy, copies)]));
  return { suspicions, short };
}

function wantedCopies({ row }: GroupRows): number {
  return row?.copies ?? 1;
}

interface Stand {
  /** Nodes with a good copy. */
  readonly nodes: number;
  /** Member disks without a good copy, and what they have instead. */
  readonly without: ReadonlyMap<number, CopyState>;
  /** Good copies on disks that are no members. */
  readonly elsewhere: readonly number[];
}

function standOf(
  rows: GroupRows,
  copies: readonly DiskCopy[],
  { index, sight }: { readonly index: number; readonly sight: Sight },
): Stand {
  const nodes = new Set<string>();
  const without = new Map<number, CopyState>();
  for (const { disk, node } of rows.members) {
    const copy = copies.find((it) => it.disk.disk === disk);
    const state = copy?.stateOf(index) ?? (sight.partial && !sight.seen.has(disk) ? "good" : "absent");
    if (state === "good") nodes.add(node);
    else without.set(disk, state);
  }
  const elsewhere = copies.filter((copy) => !copy.isMember && copy.stateOf(index) === "good");
  return { nodes: nodes.size, without, elsewhere: elsewhere.map((copy) => copy.disk.disk) };
}

/** One chunk that lacks copies, in words. */
export function tellShort(
  rows: GroupRows,
  copies: readonly DiskCopy[],
  { index, lost, sight }: ShortChunk & { readonly sight: Sight },
): Suspicion {
  const it = standOf(rows, copies, { index, sight });
  const [wanted, { nodes }] = [wantedCopies(rows), it];
  const chunk = rows.chunks.hashes.hexAt(index);
  const places = [...it.without].map(([disk, state]) => `disk ${disk}: ${state}`).join(", ");
  const others =
    it.elsewhere.length > 0 ? `; a good copy is on disk ${it.elsewhere.join(", ")}, which is no member` : "";
  const marked = rows.chunks.states[index] === chunkState.lost ? ", and its row says that it is lost" : "";
  return {
    kind: lost ? "chunk-lost" : "chunk-short",
    message: `chunk ${chunk} of group ${rows.id} has ${nodes} of ${wanted} copies${marked} (${places || "too few members"})${others}`,
    bytes: rows.chunks.lengths[index] ?? 0,
    details: {
      chunk,
      group: rows.id,
      generation: rows.chunks.generations[index] ?? 0,
      bytes: rows.chunks.lengths[index] ?? 0,
      copies: nodes,
      wanted,
      without: Object.fromEntries(it.without),
      elsewhere: it.elsewhere,
    },
  };
}

/** What each disk of the group lacks of these chunks. */
export function* tellLacking(
  rows: GroupRows,
  copies: readonly DiskCopy[],
  { short, sight }: { readonly short: readonly ShortChunk[]; readonly sight: Sight },
): Generator<Suspicion> {
  const lacking = new Map<number, Record<CopyState, number> & { bytes: number }>();
  for (const { index } of short) {
    for (const [disk, state] of standOf(rows, copies, { index, sight }).without) {
      const sum = lacking.get(disk) ?? { absent: 0, deleted: 0, damaged: 0, good: 0, bytes: 0 };
      sum[state]++;
      sum.bytes += rows.chunks.lengths[index] ?? 0;
      lacking.set(disk, sum);
    }
  }
  for (const [disk, { absent, deleted, damaged, bytes }] of lacking) {
    const node = nodeOf(rows.members, disk);
    const words = Object.entries({ absent, deleted, damaged }).flatMap(([state, n]) =>
      n > 0 ? [`${n} ${state}`] : [],
    );
    yield {
      kind: "copies-missing",
      message: `group ${rows.id} on disk ${disk} (${node}) lacks copies that are needed: ${words.join(", ")}`,
      count: absent + deleted + damaged,
      bytes,
      details: { group: rows.id, disk, node, absent, deleted, damaged, bytes },
    };
  }
}

function* tellFaults(rows: GroupRows, copy: DiskCopy, copies: readonly DiskCopy[]): Generator<Suspicion> {
  const { disk, node } = copy.disk;
  for (const fault of copy.faults) {
    const hurts = copy.hurts(fault);
    const other = otherGood(rows, copies, { fault: fault.hash, except: disk });
    const known = fault.known ? ", which its node knows" : "";
    const remains = other === undefined ? "" : other ? "; another good copy is there" : "; no other good copy is there";
    yield {
      kind: fault.foreign ? "segment-foreign" : hurts ? "record-damaged" : "damage-harmless",
      key: `fault ${rows.id} ${disk} ${fault.segment} ${fault.offset}`,
      message: `disk ${disk} (${node}), group ${rows.id}, segment ${fault.segment}, offset ${fault.offset}: ${fault.why}${known}${hurts ? remains : ""}`,
      bytes: fault.end - fault.offset,
      details: { group: rows.id, disk, node, ...faultDetails(fault), known: fault.known, otherGoodCopy: other ?? null },
    };
  }
  for (const { segment, offset, end } of copy.unfinished) {
    const message = `disk ${disk} (${node}), group ${rows.id}, segment ${segment}, offset ${offset}: an append that did not end`;
    yield {
      kind: "unfinished-append",
      message,
      bytes: end - offset,
      details: { group: rows.id, disk, segment, offset },
    };
  }
  const wrongIndex = copy.wrongIndex;
  if (wrongIndex !== undefined) {
    const message = `disk ${disk} (${node}), group ${rows.id}: sealed.idx is not that of its segments: ${wrongIndex}`;
    yield { kind: "index-wrong", key: `index ${rows.id} ${disk}`, message, details: { group: rows.id, disk, node } };
  }
}

/** Undefined when nobody can tell whose bytes the fault is about, or no version needs them. */
function otherGood(
  rows: GroupRows,
  copies: readonly DiskCopy[],
  { fault, except }: { readonly fault: Uint8Array | undefined; readonly except: number },
): boolean | undefined {
  const index = fault ? rows.chunks.hashes.find(fault) : -1;
  if (index < 0) return undefined;
  return copies.some((copy) => copy.disk.disk !== except && copy.stateOf(index) === "good");
}

function* membership(rows: GroupRows): Generator<Suspicion> {
  const { id, row, members } = rows;
  if (!row) return;
  if (rows.chunks.hashes.count > 0 && members.length < row.copies) {
    const message = `group ${id} has ${members.length} of ${row.copies} members`;
    yield { kind: "group-short", key: `members ${id}`, message, details: { group: id, members: members.length } };
  }
  const nodes = members.filter(({ joining }) => !joining).map(({ node }) => node);
  if (new Set(nodes).size < Math.min(nodes.length, row.copies)) {
    const message = `group ${id} has several members on one node: ${nodes.join(", ")}`;
    yield { kind: "group-short", key: `nodes ${id}`, message, details: { group: id, nodes } };
  }
}

const surplusWords = {
  deleted: "deleted, and kept until compaction",
  "in-grace": "no version needs them now",
  condemned: "condemned, waiting for their deletion",
  "orphan-open": "of writes that may still be committed",
  "orphan-closed": "of writes that were never committed, waiting for the sweep",
} as const;

function* surplusOf(rows: GroupRows, copy: DiskCopy): Generator<Suspicion> {
  const { disk, node } = copy.disk;
  const where = `group ${rows.id} on disk ${disk} (${node})`;
  const details = { group: rows.id, disk, node };
  if (!copy.isMember) {
    const { records, bytes } = copy.live;
    const kind = rows.row ? "extra-copy" : "group-unknown";
    const why = rows.row
      ? `the disk is no member${rows.dropping.has(disk) ? " and is to drop it" : ""}`
      : "the database knows no such group";
    yield { kind, message: `${where}: ${records} records that stay for nothing, ${why}`, bytes, details };
    return;
  }
  for (const [kind, { records, bytes }] of copy.surplus) {
    const message = `${where}: ${records} records, ${surplusWords[kind]}`;
    yield { kind, message, count: records, bytes, details: { ...details, records, bytes } };
  }
  for (const write of copy.undone) {
    const message = `${where}: ${write} is live, and all members said that they deleted it`;
    yield { kind: "delete-undone", key: `undone ${disk} ${write}`, message, details: { ...details, write } };
  }
}

/** Heartbeats tell how large a group is, so that its row is a little behind. */
export function laggingSize({ id, row }: GroupRows, copies: readonly DiskCopy[]): readonly Suspicion[] {
  const members = copies.filter(({ isMember }) => isMember).map(({ live }) => live);
  if (!row || members.length === 0) return [];
  const records = Math.max(...members.map((live) => live.records));
  const bytes = Math.max(...members.map((live) => live.bytes));
  if (row.records === records && row.bytes === bytes) return [];
  const message = `group ${id}: its row says ${row.records} records of ${row.bytes} bytes, its fullest member has ${records} of ${bytes}`;
  return [{ kind: "size-lags", message, details: { group: id, records: row.records, bytes: row.bytes } }];
}

/** Writes that one member has deleted, that another one still has, and that nothing else speaks of. */
export function deletedElsewhere(rows: GroupRows, copies: readonly DiskCopy[]): readonly Suspicion[] {
  return copies.flatMap((copy) =>
    copy.orphans.flatMap((write) => {
      const others = copies
        .filter((other) => other !== copy && other.hasDeleted(write))
        .map((other) => other.disk.disk);
      if (others.length === 0) return [];
      const message = `group ${rows.id}: ${write} is live on disk ${copy.disk.disk} and deleted on disk ${others.join(", ")}`;
      return [
        { kind: "delete-incomplete" as const, message, details: { group: rows.id, disk: copy.disk.disk, write } },
      ];
    }),
  );
}

function nodeOf(members: readonly Member[], disk: number): string {
  return members.find((member) => member.disk === disk)?.node ?? "?";
}
