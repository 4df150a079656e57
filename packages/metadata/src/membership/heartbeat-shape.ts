import { type DiskState, type HeartbeatRequest, limits } from "@cairn/protocol";

const diskStates: readonly unknown[] = ["ok", "full", "suspect", "failed"] satisfies readonly DiskState[];

/** It comes from the wire, and a wrong number in it would sit in the database. */
export function isShaped(request: HeartbeatRequest): boolean {
  return (
    isCount(request.sequence) &&
    isListOf(request.disks, (disk) => {
      const sizes = [disk.totalBytes, disk.freeBytes, disk.chunks, disk.chunkBytes];
      return sizes.every(isCount) && diskStates.includes(disk.state);
    }) &&
    isListOf(
      request.groups,
      (digest) => isCount(digest.bytes) && isCount(digest.records) && /^[0-9a-f]{16}$/.test(String(digest.digest)),
    ) &&
    isShapedCare(request) &&
    ["boolean", "undefined"].includes(typeof (request.everything ?? undefined))
  );
}

/** What it tells of checking its disks. */
function isShapedCare({ damaged, verified, scrub }: HeartbeatRequest): boolean {
  return (
    isListOf(damaged ?? [], (copy) => isCount(copy.group) && isHash(copy.id) && isCount(copy.generation)) &&
    (damaged?.length ?? 0) <= limits.badCopiesPerHeartbeatMax &&
    isListOf(verified ?? [], (copy) => isCount(copy.group) && isCount(copy.at)) &&
    isListOf(scrub ?? [], (disk) => {
      const times = [disk.passFinishedAt ?? 0, disk.passStartedAt ?? 0];
      return [...times, disk.checkedBytes, disk.totalBytes].every(isCount);
    })
  );
}

function isListOf<Item>(value: readonly Item[], isItem: (item: Item) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "object" && item !== null && isItem(item));
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isHash(value: unknown): boolean {
  return /^[0-9a-f]{64}$/.test(String(value));
}
