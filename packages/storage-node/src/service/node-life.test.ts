import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeDisk } from "@cairn/env-node";
import { type DiskId, type GroupId, type NodeId, receiptIsGenuine, StorageError, toBase64Url } from "@cairn/protocol";
import { FaultyDisk, MemoryDisk } from "@cairn/simulator";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  cluster,
  commandToken,
  group,
  hasher,
  kindOf,
  NodeFixture,
  readToken,
  receiptKey,
  tokenOf,
  writeOf,
  writeToken,
} from "./testing/node-fixture.ts";

let fixture: NodeFixture;
beforeEach(() => {
  fixture = new NodeFixture();
});
afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
});

const away = async (): Promise<never> => {
  throw new StorageError("unavailable", "request", "no metadata server", { details: { code: "ECONNREFUSED" } });
};
const silence = (): Promise<never> => new Promise(() => undefined);

describe("without a metadata server", () => {
  test("a node that has joined before serves reads and writes after a restart, and registers later", async () => {
    await fixture.start();
    const first = await writeOf(1);
    const receipt = await fixture.service.put(first);
    const { membership } = fixture;
    membership.onRegister = away;
    membership.onHeartbeat = away;
    await fixture.restart();

    expect(await fixture.service.put(first)).toEqual(receipt);
    const second = await writeOf(2);
    const { disk, epoch, mac } = await fixture.service.put(second);
    const { id, generation, bytes } = second;
    const claims = { id, generation, group, epoch, length: bytes.length, disk };
    expect(receiptIsGenuine(claims, { disk, epoch, mac }, (message) => hasher.hmac(receiptKey, message))).toBe(true);
    expect(Buffer.from(await fixture.service.get({ id: first.id, group, token: readToken() }))).toEqual(
      Buffer.from(first.bytes),
    );
    const registrations = membership.registrations.length;
    membership.onRegister = async () => ({});
    let stale = true;
    membership.onHeartbeat = async () => {
      if (!stale) return {};
      stale = false;
      throw new StorageError("stale", "heartbeat", "who are you?");
    };
    await expect.poll(() => membership.registrations.length, { timeout: 15_000 }).toBe(registrations + 1);
    expect(membership.registrations.at(-1)).toMatchObject({ secret: "the node's credential", node: "node-1" });
  });

  test("a node whose credential was replaced shows its join token again, and without one says why it cannot start", async () => {
    await fixture.start();
    await fixture.stop();
    const { membership } = fixture;
    membership.onRegister = async () => {
      const secret = membership.registrations.at(-1)?.secret;
      if (secret === "the node's credential") throw new StorageError("unauthenticated", "join cluster", "unknown");
      return {};
    };
    await fixture.start();
    expect(membership.registrations.at(-1)).toMatchObject({ node: "node-1" });
    expect(membership.registrations.at(-1)?.secret).not.toBe("the node's credential");
    await fixture.stop();
    expect(await kindOf(fixture.start({ joinToken: undefined }))).toBe("unauthenticated");
    membership.onRegister = async () => ({});
    await fixture.start();
  });

  test("a server that keeps silent does not keep a node that has joined before from serving", async () => {
    await fixture.start();
    await fixture.service.put(await writeOf(1));
    fixture.membership.onRegister = silence;
    fixture.membership.onHeartbeat = silence;
    await fixture.stop();
    const startedAt = Date.now();
    await fixture.start();
    expect(Date.now() - startedAt).toBeLessThan(8000);
    expect((await fixture.service.stat({ id: (await writeOf(1)).id, group, token: readToken() })).length).toBe(300);
    const stoppedAt = Date.now();
    await fixture.stop();
    expect(Date.now() - stoppedAt).toBeLessThan(3000);
  });

  test("a node that never joined does not start, and leaves its disk unmade", async () => {
    fixture.membership.onRegister = away;
    expect(await kindOf(fixture.start())).toBe("unavailable");
    const disk = fixture.disks[0] as MemoryDisk;
    expect(await disk.exists("disk.json")).toBe(false);
    expect(await kindOf(fixture.start({ joinToken: undefined }))).toBe("unauthenticated");
    fixture.membership.onRegister = async () => ({});
    await fixture.start();
  });
});

describe("who the node is", () => {
  test("credentials and keys are readable by the node's user only", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cairn-node-"));
    try {
      await new NodeDisk(folder).makeFolder("home");
      await new NodeDisk(folder).makeFolder("disk");
      await fixture.start({ home: new NodeDisk(join(folder, "home")), disks: [new NodeDisk(join(folder, "disk"))] });
      await fixture.commands.identity(commandToken());
      const names = readdirSync(join(folder, "home"));
      expect(names).toEqual(expect.arrayContaining(["node.json", "disks.json", "fence.json"]));
      for (const name of names.filter((it) => it.endsWith(".json"))) {
        expect([name, statSync(join(folder, "home", name)).mode & 0o777]).toEqual([name, 0o600]);
      }
      await fixture.stop();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("identity tells cluster, node, disks, and a nonce that changes with each start", async () => {
    await fixture.start();
    const first = await fixture.commands.identity(commandToken());
    expect(first).toEqual(fixture.node.identity);
    expect(first).toMatchObject({ cluster, node: "node-1", version: "test", disks: [{ disk: 1 }] });
    await fixture.restart();
    const second = await fixture.commands.identity(commandToken());
    expect(second.bootNonce).not.toBe(first.bootNonce);
    expect({ ...second, bootNonce: first.bootNonce }).toEqual(first);
  });

  test("a second process on the same folder does not start, and the first is not disturbed", async () => {
    await fixture.start();
    const other = new NodeFixture();
    expect(await kindOf(other.start({ home: fixture.home, disks: [new MemoryDisk()] }))).toBe("unavailable");
    expect(await kindOf(other.start({ disks: fixture.disks }))).not.toBe("no error");
    await other[Symbol.asyncDispose]();
    expect(await kindOf(fixture.service.put(await writeOf(1)))).toBe("no error");
  });

  test("a metadata server of another cluster does not get the node, and its keys are not kept", async () => {
    await fixture.start();
    await fixture.stop();
    fixture.membership.onRegister = async () => ({ cluster: "cd".repeat(16) });
    expect(await kindOf(fixture.start())).toBe("conflict");
    fixture.membership.onRegister = async () => ({ node: "node-2" as NodeId });
    expect(await kindOf(fixture.start())).toBe("conflict");
    fixture.membership.onRegister = away;
    await fixture.start();
    expect(fixture.node.identity).toMatchObject({ cluster, node: "node-1" });
  });

  test("keys that a new registration brings are used at once", async () => {
    await fixture.start();
    const key = new Uint8Array(32).fill(5);
    let asked = false;
    fixture.membership.onRegister = async () => ({ tokenKey: toBase64Url(key) });
    fixture.membership.onHeartbeat = async () => {
      if (asked) return {};
      asked = true;
      throw new StorageError("stale", "heartbeat", "register again");
    };
    const claims = { kind: "command", node: fixture.node.node, incarnation: 1, leaderEpoch: 1 } as const;
    const token = tokenOf({ ...claims, expiresAt: Date.now() + 60_000 }, { key });
    await expect.poll(() => kindOf(fixture.commands.digests(token))).toBe("no error");
    expect(await kindOf(fixture.commands.digests(commandToken()))).toBe("unauthenticated");
  });

  test("a node whose name another process has taken stops serving and says why", async () => {
    await fixture.start();
    fixture.membership.onRegister = async () => {
      throw new StorageError("conflict", "register node", "another process lives under this name");
    };
    fixture.membership.onHeartbeat = async () => {
      throw new StorageError("stale", "heartbeat", "register again");
    };
    const write = await writeOf(1);
    await expect.poll(() => kindOf(fixture.service.put(write))).toBe("unavailable");
    fixture.membership.onRegister = async () => ({});
    fixture.membership.onHeartbeat = async () => ({});
    await fixture.restart();
    expect(await kindOf(fixture.service.put(write))).toBe("no error");
  });
});

describe("disks", () => {
  test("each write goes to the disk that its token names, and reads find it there", async () => {
    fixture.disks = [new MemoryDisk(), new MemoryDisk()];
    await fixture.start();
    const onSecond = await writeOf(1, { token: writeToken({ disks: [9, 2] }) });
    expect((await fixture.service.put(onSecond)).disk).toBe(2);
    const other = 4 as GroupId;
    const onFirst = await writeOf(2, { token: writeToken({ group: other, disks: [1, 8] }) });
    expect((await fixture.service.put(onFirst)).disk).toBe(1);
    expect((await fixture.service.stat({ id: onSecond.id, group, token: readToken() })).disk).toBe(2);
    expect((await fixture.service.stat({ id: onFirst.id, group: other, token: readToken(other) })).disk).toBe(1);
    expect((await fixture.commands.digests(commandToken())).map(({ disk, records }) => [disk, records])).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  test("an empty folder in place of a disk is taken for a disk that is not mounted", async () => {
    const mounted = new MemoryDisk();
    fixture.disks = [mounted, new MemoryDisk()];
    await fixture.start();
    await fixture.stop();
    const lost = fixture.disks[1] as MemoryDisk;
    fixture.disks = [mounted, new MemoryDisk()];
    expect(await kindOf(fixture.start())).toBe("not-found");
    expect(await (fixture.disks[1] as MemoryDisk).exists("disk.json")).toBe(false);
    fixture.disks = [new MemoryDisk()];
    expect(await kindOf(fixture.start())).toBe("not-found");
    fixture.disks = [lost, mounted];
    await fixture.start();
    expect(fixture.node.identity.disks.map(({ disk }) => disk)).toEqual([2, 1]);
  });

  test("a disk is given up by leaving it out, and comes back as itself", async () => {
    const [first, second] = [new MemoryDisk(), new MemoryDisk()];
    fixture.disks = [first, second];
    await fixture.start();
    fixture.disks = [first];
    await fixture.restart();
    fixture.disks = [first, new MemoryDisk()];
    await fixture.stop();
    expect(await kindOf(fixture.start())).toBe("not-found");
    fixture.disks = [first, second];
    await fixture.start();
    expect(fixture.node.identity.disks.map(({ disk }) => disk)).toEqual([1, 2]);
  });

  test("a disk that comes back with an old copy of a group keeps nobody from serving, and its copy can be dropped", async () => {
    const [first, second] = [new MemoryDisk(), new MemoryDisk()];
    fixture.disks = [first, second];
    await fixture.start();
    const old = await writeOf(1, { token: writeToken({ disks: [1] }) });
    await fixture.service.put(old);
    fixture.disks = [second];
    await fixture.restart();
    const fresh = await writeOf(2, { token: writeToken({ disks: [2], epoch: 5 }) });
    await fixture.service.put(fresh);
    fixture.disks = [first, second];
    await fixture.restart();
    const command = commandToken();
    expect((await fixture.commands.digests(command)).map(({ disk }) => disk)).toEqual([1, 2]);
    const page = await fixture.commands.inventory(group, undefined, command);
    expect(page.chunks.map(({ id }) => id)).toEqual([fresh.id]);
    expect((await fixture.service.stat({ id: fresh.id, group, token: readToken() })).disk).toBe(2);
    await fixture.commands.dropGroup(group, 1 as DiskId, command);
    expect((await fixture.commands.digests(command)).map(({ disk }) => disk)).toEqual([2]);
    expect((await fixture.service.stat({ id: fresh.id, group, token: readToken() })).disk).toBe(2);
  });

  test("a disk can be added, and a start that ends before it is made goes on with the same one", async () => {
    const [first, second] = [new MemoryDisk(), new FaultyDisk(new MemoryDisk())];
    fixture.disks = [first];
    await fixture.start();
    await fixture.stop();
    fixture.disks = [first, second];
    second.plan = ({ operation }) => (operation === "make-folder" ? { fault: "io-error" } : undefined);
    expect(await kindOf(fixture.start())).toBe("internal");
    expect(second.hits).toBeGreaterThan(0);
    second.plan = () => undefined;
    await fixture.start();
    const { registrations } = fixture.membership;
    expect(registrations.at(-1)?.disks).toHaveLength(2);
    expect(registrations.at(-1)?.disks.map(({ uuid }) => uuid)).toEqual(
      registrations.at(-2)?.disks.map(({ uuid }) => uuid),
    );
  });

  test("two copies of one disk are refused", async () => {
    const disk = new MemoryDisk();
    fixture.disks = [disk];
    await fixture.start();
    await fixture.stop();
    fixture.disks = [disk, new MemoryDisk({ image: disk.image() })];
    expect(await kindOf(fixture.start())).toBe("conflict");
  });

  test("a full disk answers no-space and a failing one unavailable; both go on reading", async () => {
    const memory = new MemoryDisk();
    const disk = new FaultyDisk(memory);
    fixture.disks = [disk];
    await fixture.start();
    const kept = await writeOf(1);
    await fixture.service.put(kept);
    await fixture.stop();
    memory.resize(1);
    await fixture.start();
    expect(await kindOf(fixture.service.put(await writeOf(2)))).toBe("no-space");
    memory.resize(2 ** 40);
    await fixture.restart();
    disk.plan = ({ operation }) => (operation === "sync" ? { fault: "io-error" } : undefined);
    expect(await kindOf(fixture.service.put(await writeOf(3)))).toBe("internal");
    disk.plan = () => undefined;
    expect(await kindOf(fixture.service.put(await writeOf(4)))).toBe("unavailable");
    expect((await fixture.service.get({ id: kept.id, group, token: readToken() })).length).toBe(300);
    await expect.poll(() => fixture.membership.heartbeats.at(-1)?.disks[0]?.state).toBe("suspect");
  });
});

describe("under load", () => {
  test("what does not fit into the memory that is set aside is refused, and is taken later", async () => {
    await fixture.start({ bytesInFlightMax: 300_000 });
    const writes = await Promise.all([1, 2, 3, 4].map((number) => writeOf(number, { length: 200_000 })));
    const kinds = await Promise.all(writes.map((write) => kindOf(fixture.service.put(write))));
    expect(kinds.filter((kind) => kind === "no error").length).toBeGreaterThan(0);
    expect(kinds.filter((kind) => kind !== "no error").every((kind) => kind === "overloaded")).toBe(true);
    for (const write of writes) expect(await kindOf(fixture.service.put(write))).toBe("no error");
  });

  test("requests that are under way when the node stops are answered", async () => {
    const slow = new FaultyDisk(new MemoryDisk());
    fixture.disks = [slow];
    await fixture.start();
    const writes = await Promise.all(Array.from({ length: 20 }, (_, index) => writeOf(index + 1, { length: 100_000 })));
    const { service } = fixture;
    const underWay = writes.map((write) => kindOf(service.put(write)));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await fixture.stop();
    const kinds = await Promise.all(underWay);
    expect(kinds.every((kind) => kind === "no error" || kind === "unavailable")).toBe(true);
    await fixture.start();
    for (const [index, kind] of kinds.entries()) {
      if (kind !== "no error") continue;
      const { id } = writes[index]!;
      expect((await fixture.service.stat({ id, group, token: readToken() })).disk).toBe(1 as DiskId);
    }
  });

  test("a batch of reads stops at its limit and says which chunks did not fit", async () => {
    await fixture.start();
    const writes = await Promise.all([1, 2, 3, 4, 5].map((number) => writeOf(number, { length: 1_000_000 })));
    for (const write of writes) await fixture.service.put(write);
    const reads = writes.map(({ id }) => ({ id, group, token: readToken() }));
    const outcomes = await fixture.service.getMany(reads);
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(4);
    expect(outcomes.filter((outcome) => !outcome.ok && outcome.error.kind === "too-large")).toHaveLength(1);
  });

  test("measurements are open only where they were meant to be", async () => {
    await fixture.start({ openMetrics: true });
    await fixture.service.put(await writeOf(1));
    const { env, node } = fixture;
    const get = { method: "GET", url: `${node.url}/metrics`, timeoutMs: 5000, replyBytesMax: 1e6 } as const;
    const open = await env.network.request(get);
    const text = new TextDecoder().decode(open.body);
    expect(open.status).toBe(200);
    for (const name of [
      'cairn_chunk_requests_total{route="put",status="200"} 1',
      "cairn_chunk_received_bytes_total 300",
      'cairn_disk_state{disk="1",state="ok"} 1',
      "cairn_heartbeat_acknowledged_timestamp_seconds",
      "cairn_chunk_request_seconds_bucket",
    ]) {
      expect(text).toContain(name);
    }
    await fixture.restart({ openMetrics: false });
    expect((await env.network.request({ ...get, url: `${fixture.node.url}/metrics` })).status).toBe(401);
  });
});
