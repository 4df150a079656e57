import { type NodeCommandService, StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { failureOf, TestCluster } from "../service/testing/test-cluster.ts";
import { NodeScrub } from "./node-scrub.ts";

test("every node that answers is told to read its disks anew, under the leader's command", async () => {
  const cluster = await TestCluster.open();
  const nodes = await cluster.addNodes(3);
  await cluster.advance(36_000, nodes.slice(1));
  const told: string[] = [];
  const refusing = new Set<string>();
  const commandsAt = (url: string) =>
    ({
      startScrub: async (command: string) => {
        if (refusing.has(url)) throw new StorageError("unavailable", "start scrub", url);
        told.push(`${url} ${command.slice(0, 3)}`);
      },
    }) as NodeCommandService;
  const scrub = new NodeScrub({ ...cluster.core, commandsAt, reported: () => [] });
  expect(await scrub.start()).toBe(2);
  expect(told).toEqual(nodes.slice(1).map(({ url }) => `${url} c1.`));
  refusing.add(nodes[1]?.url ?? "");
  expect(await scrub.start()).toBe(1);
  refusing.add(nodes[2]?.url ?? "");
  expect((await failureOf(scrub.start())).kind).toBe("unavailable");
});
