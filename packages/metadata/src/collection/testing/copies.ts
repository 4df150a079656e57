import { type GroupId, unwrap } from "@cairn/protocol";
import type { WrittenChunk } from "../../contracts.ts";
import { bytesOf, type EngineNode } from "./engine-node.ts";
import type { TestStorage } from "./test-storage.ts";

/** The nodes of the members of a chunk's group, in the order of the slots. */
export function membersOf(storage: TestStorage, chunk: WrittenChunk): EngineNode[] {
  const slots = storage.metadata.cluster.core.map.group(chunk.group)?.slots ?? [];
  return slots.map(({ disk }) => storage.nodeOf(disk));
}

/** As a disk that lost a record and knows nothing of it. */
export async function lose(node: EngineNode, chunk: WrittenChunk): Promise<void> {
  const { group, id, written } = chunk;
  await node.engine.deleteExact([{ group, id, generation: written.generation }]);
}

/** Puts a chunk's record onto a disk, whoever is a member. */
export async function addCopy(
  node: EngineNode,
  chunk: WrittenChunk,
  of: { readonly content: number; readonly group?: GroupId },
): Promise<void> {
  const { id, written } = chunk;
  const group = of.group ?? chunk.group;
  unwrap(await node.engine.put({ group, epoch: 1, id, generation: written.generation, bytes: bytesOf(of.content) }));
}

/** The commands that nodes were given by some work. */
export async function commandsOf(storage: TestStorage, work: () => Promise<unknown>): Promise<string[]> {
  for (const node of storage.nodes) node.commands.length = 0;
  await work();
  return storage.nodes.flatMap((node) => node.commands);
}
