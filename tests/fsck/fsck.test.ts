import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CairnClient } from "@cairn/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CairnCommand } from "../cli/cairn-command.ts";
import { TestCluster, temporaryFolder } from "../support/processes.ts";
import { fill, hashOf, loneFile, StoredCluster } from "./stored-cluster.ts";

describe("fsck of a real cluster", { timeout: 90_000 }, () => {
  const folder = temporaryFolder();
  const data = join(folder.path, "cluster");
  const loneHash = hashOf(loneFile.bytes);

  beforeAll(async () => {
    await using cluster = await TestCluster.start(data);
    await using client = new CairnClient(cluster.profile);
    await fill(client);
  });

  afterAll(() => folder[Symbol.dispose]());

  test("a sound cluster is clean at every depth, and the report says on how much that rests", async () => {
    using stored = new StoredCluster(data);
    for (const depth of ["headers", "checksums", "hashes"] as const) {
      const report = await stored.check({ depth });
      expect(report.findings.filter(({ level }) => level !== "note")).toEqual([]);
      expect(report.verdict).toBe("clean");
      expect(report.scope).toMatchObject({ disks: 3, depth, references: expect.any(Number) });
      expect(report.scope.references).toBeGreaterThan(1100);
      expect(report.scope.records).toBeGreaterThan(60);
    }
  });

  test("references are counted the same in one pass and in many", async () => {
    using stored = new StoredCluster(data);
    const [one, many] = [await stored.check(), await stored.check({ rowsPerPass: 5 })];
    expect(many.totals).toEqual(one.totals);
    expect(many.scope.references).toBe(one.scope.references);
  });

  test("nothing is changed: every file has the content and the time that it had", async () => {
    using stored = new StoredCluster(data);
    const before = stored.fingerprint();
    await stored.check({ depth: "hashes" });
    expect(stored.fingerprint()).toEqual(before);
  });

  test("the command ends with 0 and says nothing when a cluster is clean, 10 on damage, 11 when copies are missing", async () => {
    using stored = new StoredCluster(data);
    const cairn = new CairnCommand(join(folder.path, "home"), stored.data);
    expect(await cairn.run(["fsck", "-q"])).toMatchObject({ exitCode: 0, out: "", err: "" });
    expect((await cairn.run(["fsck"])).out).toMatch(/● Clean · \d+ versions/);

    const [place] = stored.places(loneHash);
    rmSync(join(stored.data, place?.file ?? "", ".."), { recursive: true });
    const missing = await cairn.run(["fsck", "-q"]);
    expect(missing).toMatchObject({ exitCode: 11, err: "" });
    expect(missing.out).toMatch(/^copies-missing: group \d+ on disk \d+ \(node-\d\) lacks copies/);
    expect((await cairn.run(["fsck"])).out).toMatch(/main:\/lone\.bin {2}1 chunk short of copies/);

    stored.run("UPDATE chunk SET refs = refs + 1 WHERE hash = ?", loneHash);
    const damage = await cairn.run(["fsck", "--json"]);
    expect(damage.exitCode).toBe(10);
    expect(JSON.parse(damage.out)).toMatchObject({
      type: "summary",
      verdict: "damage",
      files_total: expect.any(Number),
    });
  });

  test("disks may be named one by one, and one out of reach counts as missing unless it is left out on purpose", async () => {
    using stored = new StoredCluster(data);
    const cairn = new CairnCommand(join(folder.path, "home"), stored.data);
    const named = (...nodes: string[]) => [
      ...["--database", join(stored.data, "metadata", "metadata.sqlite")],
      ...nodes.flatMap((node) => ["--disk", join(stored.data, "nodes", node, "disk")]),
    ];
    expect((await cairn.run(["fsck", "-q", ...named("node-1", "node-2", "node-3")])).exitCode).toBe(0);
    expect((await cairn.run(["fsck", "-q", ...named("node-1", "node-2")])).exitCode).toBe(11);
    expect((await cairn.run(["fsck", "-q", "--partial", ...named("node-1", "node-2")])).exitCode).toBe(0);
    expect((await cairn.run(["fsck", "--disk", "x"])).exitCode).toBe(2);
    expect((await cairn.run(["fsck", "--data", join(folder.path, "nowhere")])).exitCode).toBe(1);
  });

  describe("bytes", () => {
    test("a flipped bit in a payload is told with its place, and that another good copy is there", async () => {
      using stored = new StoredCluster(data);
      const [place] = stored.places(loneHash);
      stored.flip(place?.file ?? "", (place?.record ?? 0) + 96 + 32 + 70_000);
      const report = await stored.check();
      expect(report.verdict).toBe("damage");
      const [damaged] = report.findings.filter(({ kind }) => kind === "record-damaged");
      expect(damaged?.details).toMatchObject({
        segment: 1,
        offset: place?.record,
        why: "block 1 of its bytes is damaged",
        chunk: Buffer.from(loneHash).toString("hex"),
        otherGoodCopy: true,
      });
      expect(report.totals).toContainEqual({
        kind: "chunk-short",
        level: "missing",
        count: 1,
        bytes: loneFile.bytes.length,
      });
      expect(report.affected).toMatchObject({
        count: 1,
        files: [{ path: "main:/lone.bin", shortChunks: 1, lostChunks: 0 }],
      });
      expect(await stored.faults({ depth: "headers" })).toEqual({});
    });

    test("a flipped bit in every copy is a chunk that is lost", async () => {
      using stored = new StoredCluster(data);
      for (const { file, record } of stored.places(loneHash)) stored.flip(file, record + 96 + 32 + 5);
      const report = await stored.check();
      expect(report.findings.filter(({ kind }) => kind === "chunk-lost").map(({ details }) => details)).toMatchObject([
        { copies: 0, wanted: 2 },
      ]);
      expect(report.affected.files).toMatchObject([{ path: "main:/lone.bin", lostChunks: 1 }]);
    });

    test("a flipped bit in a header hides one record and no other", async () => {
      using stored = new StoredCluster(data);
      const [place] = stored.places(loneHash);
      stored.flip(place?.file ?? "", (place?.record ?? 0) + 60);
      expect(await stored.faults()).toEqual({ "record-damaged": 1, "copies-missing": 1, "chunk-short": 1 });
      expect(await stored.faults({ depth: "headers" })).toEqual({
        "record-damaged": 1,
        "copies-missing": 1,
        "chunk-short": 1,
      });
    });

    test("bytes whose checksums were made anew are found by their hash alone", async () => {
      using stored = new StoredCluster(data);
      const [first, second] = stored.places(loneHash);
      stored.forge(first?.file ?? "", first?.record ?? 0);
      expect(await stored.faults()).toEqual({});
      expect(await stored.faults({ depth: "hashes" })).toMatchObject({ "record-damaged": 1, "chunk-short": 1 });
      expect(second).toBeDefined();
    });

    test("a segment, a group or a disk that is gone: its copies are missing, and the chunks are not lost", async () => {
      using stored = new StoredCluster(data);
      const [place] = stored.places(loneHash);
      const file = join(stored.data, place?.file ?? "");
      rmSync(file);
      expect(Object.keys(await stored.faults())).toContain("chunk-short");
      rmSync(join(file, ".."), { recursive: true });
      const without = await stored.faults();
      expect(Object.keys(without).sort()).toEqual(["chunk-short", "copies-missing"]);
      rmSync(join(file, "../../.."), { recursive: true });
      const report = await stored.check();
      expect(report.verdict).toBe("missing");
      expect(report.totals.map(({ kind }) => kind)).toContain("disk-absent");
    });

    test("a segment that was put into another group does not count there", async () => {
      using stored = new StoredCluster(data);
      const segments = stored.files().filter((file) => /node-1\/disk\/g\/\d+\/00000001\.seg$/.test(file));
      const [one, other] = segments.map((file) => join(stored.data, file));
      renameSync(one ?? "", `${other}.swap`);
      renameSync(other ?? "", one ?? "");
      renameSync(`${other}.swap`, other ?? "");
      const faults = await stored.faults();
      expect(faults).toMatchObject({ "segment-foreign": 2, "chunk-short": expect.any(Number) });
      expect(faults).not.toHaveProperty("chunk-lost");
    });

    test("a disk of another node is not taken for the one that it replaces", async () => {
      using stored = new StoredCluster(data);
      const [one, two] = ["node-1", "node-2"].map((node) => join(stored.data, "nodes", node, "disk"));
      rmSync(two ?? "", { recursive: true });
      renameSync(one ?? "", two ?? "");
      const report = await stored.check();
      // The folder says whose disk it is; where it lies says nothing.
      expect(report.totals.find(({ kind }) => kind === "disk-absent")?.count).toBe(1);
      stored.run("UPDATE disk SET uuid = ? WHERE node = 'node-1'", "ab".repeat(16));
      expect(await stored.faults()).toMatchObject({ "disk-foreign": 1, "disk-absent": 2 });
    });
  });

  describe("what nobody needs", () => {
    test("a chunk without a row is an orphan of its lease, and no damage", async () => {
      using stored = new StoredCluster(data);
      stored.run("UPDATE chunk SET hash = zeroblob(32) WHERE hash = ?", loneHash);
      stored.run("DELETE FROM chunk WHERE hash = zeroblob(32)");
      stored.run("DELETE FROM version WHERE size = ?", loneFile.bytes.length);
      stored.run("UPDATE lease SET state = 1");
      const before = await total("orphan-closed", stored);
      expect(before?.bytes).toBeGreaterThanOrEqual(2 * loneFile.bytes.length);
      stored.run("UPDATE lease SET state = 0");
      expect((await total("orphan-open", stored))?.bytes).toBeGreaterThanOrEqual(2 * loneFile.bytes.length);
    });

    test("a group on a disk that is no member is told, and its copies do not count", async () => {
      using stored = new StoredCluster(data);
      const group = stored.database((it) => it.prepare("SELECT grp FROM chunk WHERE hash = ?").get(loneHash)) as {
        grp: number;
      };
      const member = stored.database((it) => it.prepare("SELECT disk FROM grp_slot WHERE grp = ?").get(group.grp)) as {
        disk: number;
      };
      stored.run("DELETE FROM grp_slot WHERE grp = ? AND disk = ?", group.grp, member.disk);
      const report = await stored.check();
      expect(report.totals.find(({ kind }) => kind === "extra-copy")?.count).toBe(1);
      const short = report.findings.find(({ details }) => details["chunk"] === Buffer.from(loneHash).toString("hex"));
      expect(short).toMatchObject({ kind: "chunk-short", details: { copies: 1, elsewhere: [member.disk] } });
      expect(await stored.faults()).toMatchObject({ "group-short": 1 });
    });

    test("a group that the database does not know is told", async () => {
      using stored = new StoredCluster(data);
      mkdirSync(join(stored.data, "nodes/node-1/disk/g/777"));
      expect((await total("group-unknown", stored))?.count).toBe(1);
    });

    test("a write that all members said they deleted and that is live is damage; one that waits is not", async () => {
      using stored = new StoredCluster(data);
      const chunk = stored.database((it) =>
        it
          .prepare("SELECT c.generation, c.grp, g.epoch FROM chunk c JOIN grp g ON g.id = c.grp WHERE hash = ?")
          .get(loneHash),
      ) as { generation: number; grp: number; epoch: number };
      stored.run(
        "DELETE FROM entry WHERE current_version IN (SELECT id FROM version WHERE size = ?)",
        loneFile.bytes.length,
      );
      stored.run("DELETE FROM version WHERE size = ?", loneFile.bytes.length);
      stored.run("UPDATE chunk SET refs = 0, state = 1 WHERE hash = ?", loneHash);
      stored.run(
        "INSERT INTO condemned (hash, generation, grp) VALUES (?, ?, ?)",
        loneHash,
        chunk.generation,
        chunk.grp,
      );
      expect((await total("condemned", stored))?.count).toBe(2);
      expect(Object.keys(await stored.faults())).toEqual(["usage-wrong"]);
      stored.run("UPDATE condemned SET acked_epoch = ?", chunk.epoch);
      expect(await stored.faults()).toMatchObject({ "delete-undone": 2 });
    });
  });

  test.each([
    ["a row that is gone", "DELETE FROM chunk WHERE hash = ?", { "reference-without-chunk": 1, "usage-wrong": 1 }],
    ["too many references", "UPDATE chunk SET refs = refs + 1 WHERE hash = ?", { "refs-wrong": 1 }],
    [
      "too few references",
      "UPDATE chunk SET refs = 0, zero_at = 1 WHERE hash = ?",
      { "refs-wrong": 1, "usage-wrong": 1 },
    ],
    [
      "a condemned chunk that a file needs",
      "UPDATE chunk SET state = 1 WHERE hash = ?",
      { "reference-without-chunk": 1, "state-broken": 2 },
    ],
    [
      "a generation of no lease",
      "UPDATE chunk SET generation = 5 WHERE hash = ?",
      { "state-broken": 1, "chunk-lost": 1, "copies-missing": 2 },
    ],
    [
      "another length",
      "UPDATE chunk SET length = length - 1 WHERE hash = ?",
      { "reference-without-chunk": 1, "usage-wrong": 1, "chunk-lost": 1, "copies-missing": 2 },
    ],
    ["a chunk that is marked lost", "UPDATE chunk SET state = 2 WHERE hash = ?", { "chunk-lost": 1 }],
  ])("the row of a chunk: %s", async (_what, text, wanted) => {
    using stored = new StoredCluster(data);
    stored.run(text, loneHash);
    expect(await stored.faults()).toEqual(wanted);
  });

  test.each([
    [
      "a counter of a drive",
      "UPDATE usage SET bytes = bytes + 7 WHERE scope NOT LIKE 'group:%' AND shard = 0",
      { "usage-wrong": 1 },
    ],
    [
      "a counter of a group",
      "UPDATE usage SET files = files - 1 WHERE rowid = (SELECT MIN(rowid) FROM usage WHERE scope LIKE 'group:%')",
      { "usage-wrong": 1 },
    ],
    [
      "the size of a version",
      "UPDATE version SET size = size + 1 WHERE id = (SELECT current_version FROM entry WHERE sort_name = CAST('repeated.bin' AS BLOB))",
      { "version-broken": 1, "tree-broken": 1, "usage-wrong": 1 },
    ],
    [
      "the etag of a version",
      "UPDATE version SET etag = zeroblob(32) WHERE id = (SELECT current_version FROM entry WHERE sort_name = CAST('repeated.bin' AS BLOB))",
      { "version-broken": 1, "tree-broken": 1 },
    ],
    [
      "a page of a manifest that is gone",
      "DELETE FROM manifest_page WHERE page = 1",
      { "version-broken": 1, "refs-wrong": 1 },
    ],
    [
      "a parent that is gone",
      "UPDATE entry SET parent = randomblob(16) WHERE sort_name = CAST('lone.bin' AS BLOB)",
      { "tree-broken": 1 },
    ],
    [
      "a folder below itself",
      "UPDATE entry SET parent = id WHERE sort_name = CAST('2024/' AS BLOB)",
      { "tree-broken": 1 },
    ],
    [
      "a current version that is gone",
      "UPDATE entry SET current_version = randomblob(16) WHERE sort_name = CAST('lone.bin' AS BLOB)",
      { "tree-broken": 1 },
    ],
    [
      "a folder in another drive",
      "UPDATE entry SET drive = randomblob(16) WHERE sort_name = CAST('2024/' AS BLOB)",
      { "tree-broken": 20, "usage-wrong": 2 },
    ],
    [
      "members that are no disks",
      "UPDATE grp_slot SET disk = 99 WHERE grp = 1 AND slot = 0",
      expect.objectContaining({ "state-broken": 1, "chunk-short": expect.any(Number) }),
    ],
    [
      "a lease that was never given",
      "INSERT INTO lease VALUES (999999, zeroblob(16), 'x', 0, 0)",
      { "state-broken": 1 },
    ],
    [
      "a version of nobody",
      "UPDATE version SET entry = zeroblob(16), sequence = 9 WHERE id = (SELECT current_version FROM entry WHERE sort_name = CAST('empty' AS BLOB))",
      { "version-broken": 1, "tree-broken": 1, "usage-wrong": 1 },
    ],
  ])("the rows of the database: %s", async (_what, text, wanted) => {
    using stored = new StoredCluster(data);
    stored.run(text);
    expect(await stored.faults()).toEqual(wanted);
  });

  test("tables and a schema that it does not know are no reason to complain", async () => {
    using stored = new StoredCluster(data);
    stored.run("CREATE TABLE later (id INTEGER)");
    stored.run("UPDATE cluster SET value = '99' WHERE name = 'schema'");
    for (const table of ["group_move", "extra_copy"]) stored.run(`DROP TABLE ${table}`);
    expect(await stored.faults()).toEqual({});
  });

  async function total(kind: string, stored: StoredCluster) {
    return (await stored.check()).totals.find((it) => it.kind === kind);
  }
});
