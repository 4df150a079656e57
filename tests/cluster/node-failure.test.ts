import { CairnClient } from "@cairn/client";
import type { StorageError } from "@cairn/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf, inPieces, MiB, readAll, seededBytes } from "../support/content.ts";
import { TestCluster, temporaryFolder, until } from "../support/processes.ts";

describe("a cluster of three nodes with two copies, while nodes are killed", { timeout: 90_000 }, () => {
  const folder = temporaryFolder();
  let cluster: TestCluster;
  let client: CairnClient;

  beforeAll(async () => {
    cluster = await TestCluster.start(folder.path);
    client = new CairnClient(cluster.profile);
  });

  afterAll(async () => {
    await client[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test("an upload and a download go on when a node is killed in their middle", async () => {
    const bytes = seededBytes("large", 120 * MiB + 12_345);
    const { entry } = await client.upload(
      { stream: inPieces(bytes, (offset) => (offset === 40 * MiB ? cluster.kill("node-2") : undefined)) },
      { name: "large.bin" },
    );
    expect(entry.size).toBe(bytes.length);
    await cluster.revive("node-2");

    let killed = false;
    const read = await readAll(client, entry.id, async (length) => {
      if (killed || length < 30 * MiB) return;
      killed = true;
      await cluster.kill("node-1");
    });
    expect(killed).toBe(true);
    expect(digestOf(read)).toBe(digestOf(bytes));
    await cluster.revive("node-1");
  });

  test("every chunk that is written while a node is down still gets two copies", async () => {
    await cluster.kill("node-3");
    const bytes = seededBytes("while down", 20 * MiB);
    const { entry } = await client.upload({ bytes }, { name: "while-down.bin" });
    let chunks = 0;
    for await (const chunk of client.map(entry.id)) {
      chunks++;
      expect(chunk.copies.map(({ node }) => node).sort()).toEqual(["node-1", "node-2"]);
    }
    expect(chunks).toBe(20);
    expect(digestOf(await readAll(client, entry.id))).toBe(digestOf(bytes));
    await cluster.revive("node-3");
  });

  test("with two of three nodes down writes refuse and say why, and reads name the nodes that would help", async () => {
    const bytes = seededBytes("spread", 30 * MiB);
    const { entry } = await client.upload({ bytes }, { name: "spread.bin" });
    await cluster.kill("node-1");
    await cluster.kill("node-2");
    await until(
      "both are seen as suspect",
      async () => (await client.nodes()).filter(({ health }) => health !== "online").length === 2,
      20_000,
    );

    const refused = await client
      .upload({ bytes: seededBytes("refused", MiB) }, { name: "refused.bin" })
      .catch((error: StorageError) => error);
    expect(refused).toMatchObject({ kind: "unavailable" });
    expect(`${(refused as StorageError).message} ${(refused as StorageError).hint}`).toMatch(/node-[12]|2 copies/);
    const broken = await readAll(client, entry.id).catch((error: StorageError) => error);
    expect(broken).toMatchObject({ kind: "unavailable" });
    expect(JSON.stringify(broken) + (broken as StorageError).message).toMatch(/node-[12]/);
    const { redundancy } = await client.status();
    expect(redundancy.unreachable).toBeGreaterThan(0);
    expect(redundancy.canLoseNodes).toBe(-1);
    expect([...redundancy.waitingFor].sort()).toEqual(["node-1", "node-2"]);

    await cluster.revive("node-1");
    await cluster.revive("node-2");
    await until("all are online", async () => (await client.status()).redundancy.canLoseNodes === 1);
    expect(digestOf(await readAll(client, entry.id))).toBe(digestOf(bytes));
    expect((await client.list("/")).items.map(({ name }) => name)).not.toContain("refused.bin");
  });
});
