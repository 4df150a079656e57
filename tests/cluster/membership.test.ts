import { join } from "node:path";
import { CairnClient } from "@cairn/client";
import type { JobId, NodeId } from "@cairn/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf, MiB, readAll, seededBytes } from "../support/content.ts";
import { CairnProcess, pause, TestCluster, temporaryFolder, until } from "../support/processes.ts";

describe("a cluster whose members change while it is used", { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  const stored = new Map<string, string>();
  let cluster: TestCluster;
  let client: CairnClient;
  let added: CairnProcess | undefined;

  beforeAll(async () => {
    cluster = await TestCluster.start(folder.path, [
      ...["--repair-delay", "2s", "--set", "repair.rate=1GiB", "--set", "safe-mode.time=5s"],
    ]);
    client = new CairnClient(cluster.profile);
    for (let number = 0; number < 4; number++) await upload(`before-${number}`, 5 * MiB);
  });

  afterAll(async () => {
    await client[Symbol.asyncDispose]();
    await added?.[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function upload(name: string, size: number): Promise<void> {
    const bytes = seededBytes(name, size);
    const { entry } = await client.upload({ bytes }, { name });
    stored.set(entry.id, digestOf(bytes));
  }

  async function ended(job: JobId | undefined): Promise<string> {
    const id = job as JobId;
    await until(`job ${id} has ended`, async () => (await client.operations.job(id)).state !== "running", 60_000);
    const { state, message } = await client.operations.job(id);
    return state === "done" ? state : `${state}: ${message}`;
  }

  async function everythingReads(): Promise<void> {
    for (const [id, digest] of stored) expect(digestOf(await readAll(client, id as never))).toBe(digest);
  }

  /** Uploads and reads go on while `work` is under way; none of them fails. */
  async function underLoad(work: () => Promise<void>): Promise<number> {
    let going = true;
    let uploads = 0;
    const load = (async () => {
      while (going) {
        await upload(`load-${stored.size}`, MiB + stored.size);
        const [id, digest] = [...stored][uploads % stored.size] as [string, string];
        expect(digestOf(await readAll(client, id as never))).toBe(digest);
        uploads++;
        await pause(20);
      }
    })();
    try {
      await work();
    } finally {
      going = false;
      await load;
    }
    return uploads;
  }

  test("a node is drained to empty and removed, and another is added, under load", async () => {
    const token = await client.createJoinToken({ expiresInMs: 60_000 });
    const place = ["--data", join(folder.path, "fourth"), "--metadata", cluster.profile.url, "--join", token.secret];
    added = await new CairnProcess(["server", "node", ...place]).ready();
    await until("it has joined", async () => (await client.nodes()).length === 4);

    const uploads = await underLoad(async () => {
      const drain = await client.operations.applyChange({ kind: "drain", node: "node-2" as NodeId });
      expect(await ended(drain?.id)).toBe("done");
      expect(await client.operations.nodeImpact("node-2")).toMatchObject({ groups: 0, duty: "draining" });
      const removal = await client.operations.applyChange({ kind: "remove", node: "node-2" as NodeId });
      expect(await ended(removal?.id)).toBe("done");
    });
    expect(uploads).toBeGreaterThan(3);
    expect((await client.nodes()).map(({ node }) => node)).not.toContain("node-2");
    expect((await client.operations.health()).safe).toBe("yes");
    await everythingReads();
  });

  test("a node that dies is replaced without any command, and status tells how far that is", async () => {
    await cluster.kill("node-3");
    await until("copies are missing", async () => (await client.operations.health()).safe === "reduced");
    const states = new Set<string>();
    await until(
      "all copies are there again",
      async () => {
        const { safe, repair } = await client.operations.health();
        states.add(repair.state);
        return safe === "yes";
      },
      60_000,
    );
    expect([...states].some((state) => state === "waiting" || state === "running")).toBe(true);
    await everythingReads();
    await cluster.revive("node-3");
    await until("it is back", async () => (await client.nodes()).every(({ health }) => health === "online"));
    await everythingReads();
  });

  test("a rebalance gives every disk its share, and the copies of the drive change while it runs", async () => {
    const rebalance = await client.operations.applyChange({ kind: "rebalance" });
    expect(await ended(rebalance?.id)).toBe("done");
    const [drive] = await client.drives();
    const uploads = await underLoad(async () => {
      const change = { kind: "change-copies", drive: drive?.id as never, copies: 3 } as const;
      expect(await ended((await client.operations.applyChange(change))?.id)).toBe("done");
    });
    expect(uploads).toBeGreaterThan(0);
    await until(
      "three copies of everything",
      async () => (await client.status()).redundancy.canLoseNodes === 2,
      60_000,
    );
    await everythingReads();
  });
});
