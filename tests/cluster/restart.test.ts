import { join } from "node:path";
import { CairnClient } from "@cairn/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf, inPieces, MiB, readAll, seededBytes } from "../support/content.ts";
import { CairnProcess, isAlive, TestCluster, temporaryFolder, until } from "../support/processes.ts";

describe("a cluster whose processes end", { timeout: 90_000 }, () => {
  const folder = temporaryFolder();
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await TestCluster.start(folder.path);
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test("an upload survives kill -9 of the metadata server in its middle", async () => {
    const client = new CairnClient(cluster.profile);
    const bytes = seededBytes("metadata dies", 100 * MiB);
    const pid = await cluster.pidOf("metadata");
    const source = { stream: inPieces(bytes, (offset) => void (offset === 70 * MiB && process.kill(pid, "SIGKILL"))) };
    const { entry } = await client.upload(source, { name: "survives.bin" });
    expect(await cluster.pidOf("metadata")).not.toBe(pid);
    expect(digestOf(await readAll(client, entry.id))).toBe(digestOf(bytes));
    await client[Symbol.asyncDispose]();
  });

  test("everything acknowledged is there after kill -9 of everything at once", async () => {
    const client = new CairnClient(cluster.profile);
    const files = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const bytes = seededBytes(`file ${index}`, 1 + index * 40_000);
        return { bytes, id: (await client.upload({ bytes }, { name: `file-${index}` })).entry.id };
      }),
    );
    await client[Symbol.asyncDispose]();
    const pids = (await cluster.status()).processes.map(({ pid }) => pid as number);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await cluster.signal("SIGKILL");
    await until("all processes are gone", () => pids.every((pid) => !isAlive(pid)));

    cluster = await TestCluster.start(folder.path);
    const again = new CairnClient(cluster.profile);
    for (const { id, bytes } of files) expect(digestOf(await readAll(again, id))).toBe(digestOf(bytes));
    expect((await again.status()).redundancy).toMatchObject({ reduced: 0, unreachable: 0, canLoseNodes: 1 });
    await again[Symbol.asyncDispose]();
  });

  test("children end with their supervisor, so that the next start finds everything free", async () => {
    const pids = (await cluster.status()).processes.map(({ pid }) => pid as number);
    await cluster.signal("SIGKILL");
    await until("the children are gone", () => pids.every((pid) => !isAlive(pid)));
    cluster = await TestCluster.start(folder.path);
    expect((await cluster.status()).processes.map(({ state }) => state)).toEqual([
      "running",
      "running",
      "running",
      "running",
    ]);
  });

  test("a second start on the same data folder is refused at once, and the first goes on", async () => {
    await using second = new CairnProcess(["start", "--data", folder.path, "--port", "0"]);
    expect(await second.ended()).toBe(1);
    expect(second.output).toMatch(/Another process uses this data folder/);
    expect((await cluster.status()).processes.every(({ state }) => state === "running")).toBe(true);
  });

  test("a second metadata server on the same database, and a second node on the same disk, are refused with a clear line", async () => {
    await using metadata = new CairnProcess(["server", "metadata", "--data", folder.path, "--port", "0"]);
    expect(await metadata.ended()).not.toBe(0);
    expect(metadata.output).toMatch(/another metadata server runs on/);

    await using client = new CairnClient(cluster.profile);
    const { secret } = await client.createJoinToken({ expiresInMs: 600_000 });
    using elsewhere = temporaryFolder();
    const disk = join(folder.path, "nodes", "node-1", "disk");
    const joining = ["--metadata", cluster.profile.url, "--join", secret, "--disk", disk];
    await using node = new CairnProcess(["server", "node", "--data", elsewhere.path, ...joining]);
    expect(await node.ended()).not.toBe(0);
    expect(node.output).toMatch(/Error: .*\nHint: {2}/);
    expect((await client.status()).redundancy.canLoseNodes).toBe(1);
  });

  test("SIGTERM stops all in order, and nothing is left running", async () => {
    const pids = (await cluster.status()).processes.map(({ pid }) => pid as number);
    expect(await cluster.signal("SIGTERM")).toBe(0);
    expect(pids.some(isAlive)).toBe(false);
    expect(cluster.output).toContain("everything is on disk");
    cluster = await TestCluster.start(folder.path);
  });
});
