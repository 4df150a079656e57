import { type CommitRequest, type CommittedChunk, isKind, toHex } from "@cairn/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { WrittenChunk } from "../contracts.ts";
import { Namespace } from "../namespace/namespace.ts";
import { noMetrics } from "../service/testing/test-cluster.ts";
import { audit } from "../sql/testing/audit.ts";
import { ScheduledDatabase } from "../sql/testing/scheduled-database.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { WriteQueue } from "../sql/write-queue.ts";
import { ChunkIntake } from "./chunk-intake.ts";
import { Commits } from "./commits.ts";
import { condemn, condemnGraceMs } from "./condemn.ts";
import { lookupChunks } from "./known-chunks.ts";

/** Metadata whose transactions begin in an order of the test's choosing. */
async function openScheduled() {
  let database: ScheduledDatabase | undefined;
  const metadata = await TestMetadata.open({
    wrap: (inner) => {
      database = new ScheduledDatabase(inner);
      return database;
    },
  });
  if (!database) throw new Error("the database was wrapped");
  return { metadata, database };
}

/** A second metadata server over the same database: nothing is shared but the rows. */
function secondServer(metadata: TestMetadata) {
  const { store, cluster } = metadata;
  const queue = new WriteQueue({ ...store, metrics: noMetrics }, { gather: async () => undefined });
  const second = { ...store, queue };
  const intake = new ChunkIntake(cluster.core.leases, cluster.core.receipts);
  return { store: second, commits: new Commits(second, intake), namespace: new Namespace(second) };
}

/** What nodes have: every write that a commit may carry, until it is condemned. */
class Nodes {
  readonly #writes = new Set<string>();

  take(chunk: WrittenChunk): WrittenChunk {
    this.#writes.add(`${chunk.id}:${chunk.written.generation}`);
    return chunk;
  }

  async deleteCondemned(metadata: TestMetadata): Promise<void> {
    const rows = await metadata.cluster.database.read<{ hash: Uint8Array; generation: number }[]>((sql) =>
      sql.all("SELECT hash, generation FROM condemned"),
    );
    for (const row of rows) this.#writes.delete(`${toHex(row.hash)}:${row.generation}`);
  }

  /** Every chunk that some version needs is still there, in the generation that its row names. */
  async expectAllThere(metadata: TestMetadata): Promise<void> {
    await this.deleteCondemned(metadata);
    const rows = await metadata.cluster.database.read<{ hash: Uint8Array; generation: number }[]>((sql) =>
      sql.all("SELECT hash, generation FROM chunk WHERE refs > 0"),
    );
    for (const row of rows) expect(this.#writes).toContain(`${toHex(row.hash)}:${row.generation}`);
  }
}

/** As a writer does it: ask what is there, send the rest, and send again what was collected meanwhile. */
async function store(
  metadata: TestMetadata,
  commits: Commits,
  file: { name: string; contents: readonly number[]; nodes: Nodes },
): Promise<void> {
  const ids = file.contents.map((content) => metadata.chunkId(content));
  const known = new Set((await lookupChunks(metadata.store, metadata.drive.id, ids)).map((chunk) => chunk.id));
  const send = (content: number): WrittenChunk => file.nodes.take(metadata.written(content));
  let chunks: CommittedChunk[] = file.contents.map((content) => {
    const chunk = send(content);
    return known.has(chunk.id) ? metadata.known(chunk) : chunk;
  });
  for (let attempt = 0; attempt < 3; attempt++) {
    const [outcome] = await commits.commit([metadata.request(file.name, chunks)]);
    if (outcome?.ok) return;
    if (!outcome || !isKind(outcome.error, "chunk-gone")) throw outcome?.error ?? new Error("no outcome");
    const gone = new Set(outcome.error.details["chunks"] as string[]);
    chunks = chunks.map((chunk, index) => (gone.has(chunk.id) ? send(file.contents[index] as number) : chunk));
  }
  throw new Error("a commit failed three times with chunks that are gone");
}

const runs = { numRuns: 60 };

test("whatever the order of commits, removals and collection, no version loses a chunk", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      const { metadata, database } = await openScheduled();
      await using _ = metadata;
      const nodes = new Nodes();
      const second = secondServer(metadata);
      await store(metadata, metadata.commits, { name: "old", contents: [1, 2, 3], nodes });
      const old = await metadata.namespace.stat({ drive: metadata.drive.id, path: "/old" });
      const alsoOld = await metadata.commit(metadata.request("kept", [nodes.take(metadata.written(4))]));
      await metadata.namespace.remove(metadata.commitId(), old.id);
      await metadata.cluster.clock.advance(condemnGraceMs + 1);
      await metadata.cluster.beatAll(metadata.nodes);
      await metadata.newLease();
      database.gatekeeper = scheduler;
      const all = Promise.all([
        store(metadata, metadata.commits, { name: "one", contents: [1, 2], nodes }),
        store(metadata, second.commits, { name: "two", contents: [2, 3, 4], nodes }),
        second.namespace.remove(metadata.commitId(), alsoOld.entry.id),
        condemn(metadata.store, 2, { graceMs: 0 }),
        condemn(second.store, 2, { graceMs: 0 }),
        condemn(metadata.store, 2, { graceMs: 0 }),
      ]);
      await scheduler.waitFor(all);
      database.gatekeeper = undefined;
      await nodes.expectAllThere(metadata);
      await audit(metadata.cluster.database);
      for (const path of ["/one", "/two"]) {
        expect((await metadata.namespace.stat({ drive: metadata.drive.id, path })).chunks).toBeGreaterThan(1);
      }
    }),
    runs,
  );
}, 120_000);

test("a repeated commit has one effect and one answer, also when answers get lost and two servers work on it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat({ max: 3 }), async (scheduler, answersToLose) => {
      const { metadata, database } = await openScheduled();
      await using _ = metadata;
      const second = secondServer(metadata);
      const request = metadata.request("f", [metadata.written(1), metadata.written(2)], { onConflict: "rename" });
      const insist = async (commits: Commits, once: CommitRequest): Promise<string> => {
        for (;;) {
          const [outcome] = await commits.commit([once]);
          if (outcome?.ok) return JSON.stringify(outcome.value);
          if (!outcome || !isKind(outcome.error, "unavailable")) throw outcome?.error ?? new Error("no outcome");
        }
      };
      database.gatekeeper = scheduler;
      database.answersToLose = answersToLose;
      const all = Promise.all([
        insist(metadata.commits, request),
        insist(second.commits, request),
        insist(metadata.commits, request),
      ]);
      await scheduler.waitFor(all);
      database.gatekeeper = undefined;
      expect(new Set(await all).size).toBe(1);
      expect(await metadata.names(metadata.root)).toEqual(["f"]);
      await audit(metadata.cluster.database);
    }),
    runs,
  );
}, 120_000);

test("creating below a folder while it is moved, trashed or removed leaves nothing in the air", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.constantFrom("move", "trash", "remove"), async (scheduler, change) => {
      const { metadata, database } = await openScheduled();
      await using _ = metadata;
      const second = secondServer(metadata);
      const folder = await metadata.folder("/a/b");
      const other = await metadata.folder("/c");
      database.gatekeeper = scheduler;
      const { drive } = metadata;
      const changes = {
        move: () => second.namespace.move(metadata.commitId(), folder.id, { parent: other.id, onConflict: "fail" }),
        trash: () => second.namespace.trash(metadata.commitId(), folder.id),
        remove: () => second.namespace.remove(metadata.commitId(), folder.id),
      };
      const all = Promise.allSettled([
        metadata.namespace.createFolder(metadata.commitId(), { drive: drive.id, path: "/a/b/x", parents: true }),
        metadata.commit(metadata.request("f", [metadata.written(1)], { parent: folder.id })),
        changes[change as keyof typeof changes](),
        metadata.namespace.move(metadata.commitId(), other.id, { parent: folder.id, onConflict: "fail" }),
      ]);
      await scheduler.waitFor(all);
      database.gatekeeper = undefined;
      await audit(metadata.cluster.database);
      await metadata.reclaim();
      await audit(metadata.cluster.database);
      const [, committed] = await all;
      if (committed.status === "fulfilled" && change !== "remove") {
        const found = await metadata.namespace.stat({ id: committed.value.entry.id });
        expect(found.path.endsWith("/f")).toBe(true);
      }
      // A cycle would be found by no walk from the root: count what is reachable.
      const rows = await metadata.cluster.database.read<{ reachable: number; all: number } | undefined>((sql) =>
        sql.get(`WITH RECURSIVE below (id) AS (SELECT root FROM drive UNION SELECT trash FROM drive
          UNION SELECT entry.id FROM below JOIN entry ON entry.parent = below.id)
          SELECT (SELECT COUNT(*) FROM below) AS reachable, (SELECT COUNT(*) FROM entry) AS "all"`),
      );
      expect(rows?.reachable).toBe(rows?.all);
    }),
    runs,
  );
}, 120_000);
