import { chunkIdFromHash, type GroupId, hashOfChunkId } from "@cairn/protocol";
import { MemoryDisk, VirtualClock } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { DiskEngine } from "./disk-engine.ts";
import { encodeRecord, recordBytes, recordHeaderBytes } from "./record-format.ts";
import {
  changed,
  chunks,
  diskWith,
  flipped,
  hasher,
  open,
  pageBytes,
  reads,
  segment1,
} from "./testing/damaged-disk.ts";
import {
  chunkOf,
  engineEnv,
  group7,
  identity,
  ListLog,
  mustPut,
  putOf,
  type TestChunk,
  thrownKind,
} from "./testing/engine-fixture.ts";

describe("a torn append", () => {
  test("cut off at any byte of the last record, with nothing, zeros or garbage behind it, leaves all earlier records and a group that takes more", {
    timeout: 60_000,
  }, async () => {
    const all = await chunks(3, 40);
    const image = await diskWith(all);
    const whole = image.files.get(segment1)?.length ?? 0;
    const start = whole - recordBytes(40);
    const fresh = await chunkOf(hasher, 50);
    for (let cut = start; cut < whole; cut++) {
      for (const tail of ["nothing", "zeros", "garbage"]) {
        const disk = changed(image, segment1, (bytes) => {
          if (tail === "nothing") return bytes.slice(0, cut);
          for (let at = cut; at < bytes.length; at++) bytes[at] = tail === "zeros" ? 0 : (bytes[at] ?? 0) ^ 0x5a;
          return bytes;
        });
        await using engine = await open(disk);
        // The padding before the footer is zeros already: a cut there changes nothing.
        const [one, two, three] = await reads(engine, all);
        expect([cut, tail, one, two]).toEqual([cut, tail, "ok", "ok"]);
        expect(three).toMatch(/^(ok|not-found)$/);
        expect(engine.quarantined(group7)).toEqual([]);
        await mustPut(engine, fresh);
        await mustPut(engine, all[2] as TestChunk);
        await engine[Symbol.asyncDispose]();
        await using again = await open(disk);
        expect(await reads(again, [...all, fresh])).toEqual(["ok", "ok", "ok", "ok"]);
      }
    }
  });

  test("is not assumed where a whole record follows: that is damage, and nothing is cut off", async () => {
    const all = await chunks(4);
    const image = await diskWith(all);
    const before = image.files.get(segment1)?.length ?? 0;
    const disk = flipped(image, segment1, pageBytes + recordBytes(200) + 4);
    await using engine = await open(disk);
    expect(await reads(engine, all)).toEqual(["ok", "not-found", "ok", "ok"]);
    expect(engine.quarantined(group7)).toHaveLength(1);
    await mustPut(engine, await chunkOf(hasher, 60));
    expect(disk.image().files.get(segment1)?.length).toBe(before);
    expect(disk.image().files.has("g/7/00000002.seg")).toBe(true);
  });

  test("is not assumed before what was noted as synced: damage there is kept and told", async () => {
    const all = await chunks(3);
    const image = await diskWith(all, { crashed: false });
    const whole = image.files.get(segment1)?.length ?? 0;
    const log = new ListLog();
    for (const disk of [
      flipped(image, segment1, whole - recordBytes(200) + 20),
      changed(image, segment1, (bytes) => bytes.slice(0, whole - 100)),
      changed(image, segment1, (bytes) => bytes.slice(0, whole - recordBytes(200))),
    ]) {
      const before = disk.image().files.get(segment1)?.length;
      await using engine = await open(disk, log);
      expect(await reads(engine, all)).toEqual(["ok", "ok", "not-found"]);
      expect(engine.quarantined(group7).length).toBeGreaterThan(0);
      expect(disk.image().files.get(segment1)?.length).toBe(before);
      expect(log.lines.some(({ level }) => level === "error")).toBe(true);
      await mustPut(engine, all[2] as TestChunk);
      expect(await reads(engine, all)).toEqual(["ok", "ok", "ok"]);
      await engine[Symbol.asyncDispose]();
      await using again = await open(disk);
      expect(await reads(again, all)).toEqual(["ok", "ok", "ok"]);
      expect(again.digests()).toMatchObject([{ records: 3 }]);
    }
  });

  test("behind damage, where nothing is cut off, is the same after another restart", async () => {
    const all = await chunks(3);
    const image = await diskWith(all);
    const payloadOf = (index: number): number => pageBytes + index * recordBytes(200) + recordHeaderBytes + 50;
    const once = flipped(image, segment1, payloadOf(0)).image();
    const disk = flipped(once, segment1, payloadOf(2));
    const digestOf = (engine: DiskEngine) => engine.digests().find(({ group }) => group === group7);
    await using engine = await open(disk);
    expect(await reads(engine, all)).toEqual(["not-found", "ok", "not-found"]);
    const before = digestOf(engine);
    expect(before).toMatchObject({ records: 1 });
    // The next segment notes that this one has ended.
    const fresh = await chunkOf(hasher, 60);
    await mustPut(engine, fresh);
    expect((await engine.deleteExact([{ group: group7, ...fresh }]))[0]?.ok).toBe(true);
    await engine[Symbol.asyncDispose]();
    await using again = await open(disk);
    expect(digestOf(again)).toEqual(before);
  });

  test("of a new segment leaves nothing behind", async () => {
    const image = await diskWith(await chunks(2));
    const files = new Map(image.files).set("g/7/00000002.seg", new Uint8Array(1000));
    const disk = new MemoryDisk({ image: { ...image, files } });
    await using engine = await open(disk);
    expect(await disk.exists("g/7/00000002.seg")).toBe(false);
    expect(engine.digests()).toMatchObject([{ records: 2 }]);
  });
});

describe("a flipped bit", () => {
  test("in any byte of a record is found: never wrong bytes, and the other records stay", {
    timeout: 60_000,
  }, async () => {
    const all = await chunks(3, 100);
    for (const crashed of [true, false]) {
      const image = await diskWith(all, { crashed });
      const start = pageBytes + recordBytes(100);
      for (let at = start; at < start + recordBytes(100); at++) {
        await using engine = await open(flipped(image, segment1, at));
        const [one, two, three] = await reads(engine, all);
        expect([at, one, three]).toEqual([at, "ok", "ok"]);
        expect(two).toMatch(/^(ok|not-found|corrupt)$/);
        const inSomeBytes = at < start + recordHeaderBytes + 4 + 100 || at >= start + recordBytes(100) - 8;
        if (inSomeBytes) expect([at, two]).not.toEqual([at, "ok"]);
        expect(engine.digests()).toMatchObject([{ records: two === "ok" ? 3 : 2 }]);
      }
    }
  });

  test("in the payload of a record sets the copy aside for good, and a new put of it replaces it", async () => {
    const all = await chunks(3);
    const image = await diskWith(all, { crashed: false });
    const disk = flipped(image, segment1, pageBytes + recordBytes(200) + recordHeaderBytes + 4 + 50);
    await using engine = await open(disk);
    const { mark } = engine.changedSince(0);
    expect(engine.digests()).toMatchObject([{ records: 3 }]);
    expect(await reads(engine, all)).toEqual(["ok", "corrupt", "ok"]);
    expect(engine.digests()).toMatchObject([{ records: 2 }]);
    expect(engine.changedSince(mark).groups).toHaveLength(1);
    expect(engine.quarantined(group7)).toMatchObject([
      { segment: 1, hash: all[1]?.id, generation: all[1]?.generation },
    ]);
    expect(await reads(engine, all)).toEqual(["ok", "corrupt", "ok"]);
    expect((await engine.inventory(group7, undefined, 10)).chunks).toHaveLength(2);
    await engine[Symbol.asyncDispose]();
    await using restarted = await open(disk);
    expect(restarted.digests()).toMatchObject([{ records: 2 }]);
    expect(await reads(restarted, all)).toEqual(["ok", "corrupt", "ok"]);
    await mustPut(restarted, all[1] as TestChunk);
    expect(await reads(restarted, all)).toEqual(["ok", "ok", "ok"]);
    expect(restarted.digests()).toMatchObject([{ records: 3 }]);
    await restarted[Symbol.asyncDispose]();
    await using again = await open(disk);
    expect(again.digests()).toMatchObject([{ records: 3 }]);
    expect(await reads(again, all)).toEqual(["ok", "ok", "ok"]);
  });

  test("in a payload is found by verify before anybody reads it", async () => {
    const image = await diskWith(await chunks(3), { crashed: false });
    await using engine = await open(flipped(image, segment1, pageBytes + recordHeaderBytes + 20));
    expect(await engine.verify()).toEqual({ records: 3, damaged: 1 });
    expect(await engine.verify()).toEqual({ records: 2, damaged: 0 });
  });

  test("in the header page of a segment costs no record", async () => {
    const all = await chunks(3);
    for (const crashed of [true, false]) {
      const image = await diskWith(all, { crashed });
      for (const at of [0, 5, 8, 12, 30, 44, 52, 56, 4095]) {
        await using engine = await open(flipped(image, segment1, at));
        expect(await reads(engine, all)).toEqual(["ok", "ok", "ok"]);
        await mustPut(engine, await chunkOf(hasher, 60));
      }
    }
  });

  test("in disk files that only help (checkpoint, quarantine list) never keeps the disk from opening", async () => {
    const all = await chunks(3);
    const image = await diskWith(all, { crashed: false });
    for (const path of ["g/7/checkpoint", "g/7/quarantine.json"]) {
      for (const length of [0, 7, 40]) {
        const disk = changed(image, path, () => new Uint8Array(length).fill(0x7b));
        await using engine = await open(disk);
        expect(await reads(engine, all)).toEqual(["ok", "ok", "ok"]);
      }
    }
  });

  test("in the last tombstone does not bring a deleted chunk back unseen", async () => {
    const disk = new MemoryDisk();
    const all = await chunks(2);
    const engine = await open(disk);
    await engine.putMany(all.map((chunk) => putOf(chunk)));
    await engine.deleteExact([{ group: group7, ...(all[0] as TestChunk) }]);
    await engine[Symbol.asyncDispose]();
    const log = new ListLog();
    const bad = flipped(disk.image(), "g/7/tombstones.seg", pageBytes + 40);
    await using again = await open(bad, log);
    expect(again.quarantined(group7)).toMatchObject([{ segment: 0 }]);
    expect(log.lines.length).toBeGreaterThan(0);
    await again.deleteExact([{ group: group7, ...(all[0] as TestChunk) }]);
    await again[Symbol.asyncDispose]();
    await using last = await open(bad);
    expect(await reads(last, all)).toEqual(["not-found", "ok"]);
  });
});

describe("a record at the wrong place", () => {
  test("(a misdirected write of another chunk) is not served under the wrong name", async () => {
    const all = await chunks(3);
    const image = await diskWith(all, { crashed: false });
    const size = recordBytes(200);
    const disk = changed(image, segment1, (bytes) => {
      bytes.copyWithin(pageBytes + size, pageBytes, pageBytes + size);
      return bytes;
    });
    await using engine = await open(disk);
    expect(await reads(engine, all)).toEqual(["ok", "not-found", "ok"]);
  });

  test("(copied under a running engine) counts as damaged", async () => {
    const disk = new MemoryDisk();
    const all = await chunks(3);
    await using engine = await open(disk);
    await engine.putMany(all.map((chunk) => putOf(chunk)));
    const file = await disk.open(segment1, "write");
    const record = new Uint8Array(recordBytes(200));
    await file.read(record, pageBytes);
    await file.write([record], pageBytes + record.length);
    expect(await reads(engine, all)).toEqual(["ok", "corrupt", "ok"]);
  });

  test("(a record of another group) is set aside", async () => {
    const all = await chunks(2);
    const image = await diskWith(all, { crashed: false });
    const other = new MemoryDisk();
    const engine = await open(other);
    await mustPut(engine, all[0] as TestChunk, { group: 8 as GroupId });
    const foreign = other.image().files.get("g/8/00000001.seg")?.slice(pageBytes) ?? new Uint8Array(0);
    const disk = changed(image, segment1, (bytes) => {
      bytes.set(foreign, pageBytes);
      return bytes;
    });
    await using opened = await open(disk);
    expect(await reads(opened, all)).toEqual(["not-found", "ok"]);
    expect(opened.quarantined(group7)).toMatchObject([{ why: "it belongs to group 8" }]);
  });

  test("(a segment of another group) is set aside whole, and one of another disk is refused", async () => {
    const all = await chunks(2);
    const image = await diskWith(all, { crashed: false });
    const files = new Map(image.files).set("g/8/00000001.seg", image.files.get(segment1) ?? new Uint8Array(0));
    const misplaced = new MemoryDisk({ image: { folders: new Set([...image.folders, "g/8"]), files } });
    await using engine = await open(misplaced);
    expect(engine.digests()).toMatchObject([
      { group: 7, records: 2 },
      { group: 8, records: 0 },
    ]);
    expect(engine.quarantined(8 as GroupId)).toMatchObject([{ offset: 0, why: "the file is segment 1 of group 7" }]);
    await mustPut(engine, all[0] as TestChunk, { group: 8 as GroupId });
    const swapped = changed(image, "disk.json", (bytes) =>
      new TextEncoder().encode(new TextDecoder().decode(bytes).replaceAll("d3", "ab")),
    );
    const env = engineEnv({ hasher, clock: new VirtualClock() });
    const expected = { ...identity, uuid: "ab".repeat(16) };
    expect(await thrownKind(DiskEngine.open(env, swapped, { expected }))).toBe("corrupt");
  });

  test("(a forged record in a user's own bytes) is not believed when the record around it is damaged", async () => {
    const victim = await chunkOf(hasher, 1, 64);
    const evil = await chunkOf(hasher, 2, 64);
    const fields = { type: "chunk" as const, group: group7, generation: victim.generation, sequence: 5, writtenAt: 0 };
    const crc32c = (bytes: Uint8Array): number => hasher.crc32c(bytes);
    const forged = Buffer.concat(encodeRecord({ ...fields, hash: hashOfChunkId(victim.id) }, evil.bytes, crc32c));
    const payload = new Uint8Array(400);
    payload.set(forged, 4);
    const carrier = { id: chunkIdFromHash(await hasher.sha256(payload)), bytes: payload, generation: evil.generation };
    const image = await diskWith([victim, carrier], { crashed: false });
    await using engine = await open(flipped(image, segment1, pageBytes + recordBytes(64) + 20));
    expect(await reads(engine, [victim, carrier])).toEqual(["ok", "not-found"]);
    expect(engine.quarantined(group7).some(({ why }) => why.includes("hash"))).toBe(true);
  });
});
