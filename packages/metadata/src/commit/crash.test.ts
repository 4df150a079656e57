import { copyFileSync, existsSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CrashPoint, SqlDatabase } from "@cairn/env";
import { NodeHasher, openSqlite } from "@cairn/env-node";
import { generationOf, type LeaseId, newId, unwrap } from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { DriveTable } from "../namespace/drive-table.ts";
import { Namespace } from "../namespace/namespace.ts";
import { MemoryLog, noMetrics } from "../service/testing/test-cluster.ts";
import { migrate } from "../sql/migrate.ts";
import type { Store } from "../sql/store.ts";
import { audit } from "../sql/testing/audit.ts";
import { WriteQueue } from "../sql/write-queue.ts";
import { ChunkIntake } from "./chunk-intake.ts";
import { Commits } from "./commits.ts";

const clock = new VirtualClock();
const random = new SeededRandom(11);

function partsOver(database: SqlDatabase, crashPoint: CrashPoint) {
  const queue = new WriteQueue(
    { database, clock, random, metrics: noMetrics, crashPoint },
    { gather: async () => undefined },
  );
  const log = new MemoryLog();
  const store: Store = { database, queue, drives: new DriveTable(), clock, random, hasher: new NodeHasher(), log };
  // Leases and receipts are other tests' concern: what is asked here is what a kill leaves behind.
  const intake = new ChunkIntake({ assertOpen: async () => undefined }, { judge: async () => ({ stale: false }) });
  return { namespace: new Namespace(store), commits: new Commits(store, intake) };
}

test.each([
  ["metadata.commit.before-durable", false],
  ["metadata.commit.after-durable", true],
] as const)(
  "a server that is killed at %s did all of a commit or nothing, and its repetition is answered",
  async (point, done) => {
    const folder = await mkdtemp(join(tmpdir(), "cairn-crash-"));
    const files = ["metadata.db", "metadata.db-wal"];
    try {
      await using database = await openSqlite(join(folder, "metadata.db"));
      await migrate({ database, clock, random }, { copies: 1, chunkBytes: 65_536 });
      let armed = false;
      // The files as the kernel has them at this moment are what the next process finds after a kill.
      const { namespace, commits } = partsOver(database, (name) => {
        if (!armed || name !== point) return;
        for (const file of files) {
          if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(folder, `killed-${file}`));
        }
      });
      const [drive] = await namespace.drives();
      const lease = 1 as LeaseId;
      const chunk = {
        id: "ab".repeat(32) as never,
        length: 10,
        group: 1 as never,
        written: { generation: generationOf(lease, 1), receipts: [] },
      };
      const request = {
        commit: newId("cm_", clock.now(), random.bytes(10)),
        lease,
        target: { drive: drive!.id, parent: drive!.root, name: "f", onConflict: "rename" as const },
        size: 10,
        chunks: [chunk],
      };
      armed = true;
      const first = unwrap((await commits.commit([request]))[0]!);
      armed = false;
      await copyFile(join(folder, "killed-metadata.db"), join(folder, "next.db"));
      if (existsSync(join(folder, "killed-metadata.db-wal"))) {
        await copyFile(join(folder, "killed-metadata.db-wal"), join(folder, "next.db-wal"));
      }
      await using next = await openSqlite(join(folder, "next.db"));
      await audit(next);
      const after = partsOver(next, () => undefined);
      expect((await after.namespace.list(drive!.root, {})).items).toHaveLength(done ? 1 : 0);
      const again = unwrap((await after.commits.commit([request]))[0]!);
      expect(again.changed).toBe(true);
      if (done) expect(again.entry.id).toBe(first.entry.id);
      expect((await after.namespace.list(drive!.root, {})).items).toHaveLength(1);
      await audit(next);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
