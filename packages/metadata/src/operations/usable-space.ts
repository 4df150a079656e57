import type { NodeStatus } from "@cairn/protocol";

/**
 * Bytes that still fit when each is stored `copies` times on distinct nodes that take data now. Disks of one host with the
 * same size are taken for folders on one medium, whose room they share: better to promise too little room than the same
 * room several times.
 */
export function usableBytes(nodes: readonly NodeStatus[], copies: number): number {
  const rooms = roomPerNode(nodes);
  // A node holds at most one copy of anything.
  const fits = (bytes: number): boolean =>
    rooms.reduce((sum, room) => sum + Math.min(room, bytes), 0) >= copies * bytes;
  let least = 0;
  let tooMany = Math.floor(rooms.reduce((sum, room) => sum + room, 0) / Math.max(copies, 1)) + 1;
  while (tooMany - least > 1) {
    const middle = Math.floor((least + tooMany) / 2);
    if (fits(middle)) least = middle;
    else tooMany = middle;
  }
  return least;
}

function roomPerNode(nodes: readonly NodeStatus[]): number[] {
  const media = new Map<string, { freeBytes: number; nodes: Set<string> }>();
  const disksOf = new Map<string, string[]>();
  for (const { node, url, health, disks } of nodes) {
    if (health !== "online") continue;
    for (const { totalBytes, freeBytes, state } of disks) {
      if (state !== "ok") continue;
      const key = `${hostOf(url)} ${totalBytes}`;
      const medium = media.get(key) ?? { freeBytes, nodes: new Set<string>() };
      medium.freeBytes = Math.min(medium.freeBytes, freeBytes);
      medium.nodes.add(node);
      media.set(key, medium);
      disksOf.set(node, [...new Set([...(disksOf.get(node) ?? []), key])]);
    }
  }
  return [...disksOf.values()].map((keys) =>
    keys.reduce((sum, key) => {
      const medium = media.get(key);
      return sum + (medium ? medium.freeBytes / medium.nodes.size : 0);
    }, 0),
  );
}

function hostOf(url: string): string {
  return /^[a-z]+:\/\/(\[[^\]]*\]|[^:/]+)/.exec(url)?.[1] ?? url;
}
