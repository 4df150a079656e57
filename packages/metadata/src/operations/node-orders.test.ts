import { type NodeCommandService, StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf, TestCluster } from "../service/testing/test-cluster.ts";
import { NodeCompaction } from "./node-compaction.ts";
import type { NodeOrdersWorld } from "./node-orders.ts";
import { NodeScrub } from "./node-scrub.ts";

test.each([
  ["read its disks anew", "startScrub", (world: NodeOrdersWorld) => new NodeScrub({ ...world, reported: () => [] })],
  ["free what may go", "startCompaction", (world: NodeOrdersWorld) => new NodeCompaction(world)],
] as const)("every node that answers is told to %s, under the leader's command", async (_what, order, machineryOf) => {
  const cluster = await TestCluster.open();
  const nodes = await cluster.addNodes(3);
  await cluster.advance(36_000, nodes.slice(1));
  const told: string[] = [];
  const refusing = new Set<string>();
  const commandsAt = (url: string) =>
    ({
      [order]: async (command: string) => {
        if (refusing.has(url)) throw new StorageError("unavailable", "give order", url);
        told.push(`${url} ${command.slice(0, 3)}`);
      },
    }) as unknown as NodeCommandService;
  const machinery = machineryOf({ ...cluster.core, commandsAt });
  expect(await machinery.start()).toBe(2);
  expect(told).toEqual(nodes.slice(1).map(({ url }) => `${url} c1.`));
  refusing.add(nodes[1]?.url ?? "");
  expect(await machinery.start()).toBe(1);
  refusing.add(nodes[2]?.url ?? "");
  expect((await failureOf(machinery.start())).kind).toBe("unavailable");
});
