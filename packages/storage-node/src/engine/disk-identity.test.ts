import { NodeHasher } from "@cairn/env-node";
import { MemoryDisk, VirtualClock } from "@cairn/simulator";
import { beforeEach, describe, expect, test } from "vitest";
import { DiskEngine } from "./disk-engine.ts";
import { initialiseDisk, readDiskIdentity } from "./disk-identity.ts";
import { chunkOf, engineEnv, identity, mustPut, openEngine, thrownKind } from "./testing/engine-fixture.ts";

const hasher = new NodeHasher();
const env = engineEnv({ hasher, clock: new VirtualClock() });
let disk: MemoryDisk;

beforeEach(() => {
  disk = new MemoryDisk();
});

function open(): Promise<DiskEngine> {
  return openEngine(env, disk);
}

describe("whose disk it is", () => {
  test("a folder without disk.json does not open: an empty mount point is not an empty disk", async () => {
    expect(await thrownKind(DiskEngine.open(env, disk, { expected: identity }))).toBe("not-found");
    expect((await disk.list(".")).includes("disk.json")).toBe(false);
  });

  test("a disk of another cluster, another node or with another uuid does not open", async () => {
    await initialiseDisk(disk, identity);
    for (const other of [
      { cluster: "ff".repeat(16) },
      { node: "node-2" as typeof identity.node },
      { uuid: "ee".repeat(16) },
    ]) {
      expect(await thrownKind(DiskEngine.open(env, disk, { expected: { ...identity, ...other } }))).toBe("conflict");
    }
    expect(await readDiskIdentity(disk)).toEqual(identity);
  });

  test("a disk is made once, and never out of a folder that holds groups", async () => {
    await initialiseDisk(disk, identity);
    expect(await thrownKind(initialiseDisk(disk, { ...identity, uuid: "ee".repeat(16) }))).toBe("conflict");
    await disk.makeFolder("g/7");
    await disk.remove("disk.json");
    expect(await thrownKind(initialiseDisk(disk, identity))).toBe("conflict");
  });

  test("a damaged or newer disk.json is refused with what to do", async () => {
    await initialiseDisk(disk, identity);
    for (const [text, kind] of [
      ["{", "corrupt"],
      ['{"format":2}', "invalid"],
    ] as const) {
      await disk.remove("disk.json");
      const file = await disk.open("disk.json", "create");
      await file.write([new TextEncoder().encode(text)], 0);
      expect(await thrownKind(readDiskIdentity(disk))).toBe(kind);
    }
  });

  test("a second engine on the same disk is refused, and the first goes on", async () => {
    await using engine = await open();
    expect(await thrownKind(open())).toBe("unavailable");
    await mustPut(engine, await chunkOf(hasher, 1));
    await engine[Symbol.asyncDispose]();
    await using next = await open();
    expect(next.digests()).toHaveLength(1);
  });

  test("a failed open gives the lock back", async () => {
    await initialiseDisk(disk, identity);
    await thrownKind(DiskEngine.open(env, disk, { expected: { ...identity, uuid: "ee".repeat(16) } }));
    await using engine = await open();
    expect(engine.identity).toEqual(identity);
  });

  test("something in the folder of groups that is no group is left alone", async () => {
    await initialiseDisk(disk, identity);
    await disk.makeFolder("g/lost+found");
    await using engine = await open();
    expect(engine.digests()).toEqual([]);
    expect(await disk.exists("g/lost+found")).toBe(true);
  });
});
