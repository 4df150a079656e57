import { type DiskState, type NodeHealth, type NodeId, StorageError } from "@cairn/protocol";

export interface RefusalNode {
  readonly node: NodeId;
  readonly health: NodeHealth;
  readonly disks: readonly DiskState[];
}

/**
 * Why nothing can be written now, in words an operator can act on: unavailable when nodes or sound disks are missing,
 * no-space when they are there and full.
 */
export function placementRefusal(copies: number, nodes: readonly RefusalNode[]): StorageError {
  const named = (health: NodeHealth): string[] =>
    nodes.filter((node) => node.health === health).map(({ node }) => node);
  const online = named("online");
  const missing = [...named("suspect"), ...named("down")].sort();
  const details = { copies, online, suspect: named("suspect"), down: named("down") };
  if (online.length < copies) {
    const states = [
      `online: ${listed(online)}`,
      ...stateOf("suspect", named("suspect")),
      ...stateOf("down", named("down")),
    ];
    return new StorageError("unavailable", "place chunks", `${needs(copies)} online; ${states.join("; ")}`, {
      hint:
        missing.length > 0 ? `Bring back ${missing.join(" or ")}, or let another node join.` : "Let another node join.",
      details,
    });
  }
  const onlineNodes = nodes.filter((node) => node.health === "online");
  const full = onlineNodes.filter((node) => node.disks.includes("full") && !node.disks.includes("ok"));
  const broken = onlineNodes.filter((node) => !node.disks.includes("ok") && !node.disks.includes("full"));
  const names = (list: readonly RefusalNode[]): string[] => list.map(({ node }) => node);
  if (onlineNodes.length - broken.length >= copies) {
    return new StorageError(
      "no-space",
      "place chunks",
      `${needs(copies)} with free space; full: ${listed(names(full))}`,
      {
        hint: "Delete files and empty the trash, or add disks or nodes.",
        details: { ...details, full: names(full) },
      },
    );
  }
  return new StorageError(
    "unavailable",
    "place chunks",
    `${needs(copies)} with a sound disk; without: ${listed(names(broken))}`,
    {
      hint: `Look at the disks of ${listed(names(broken))}: they have failed, are missing or reported an error.`,
      details: { ...details, broken: names(broken) },
    },
  );
}

function needs(copies: number): string {
  return copies === 1 ? "1 copy needs 1 node" : `${copies} copies need ${copies} nodes`;
}

function stateOf(health: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${health}: ${names.join(", ")}`];
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
