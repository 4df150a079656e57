import type { Clock, Random, Sql } from "@cairn/env";
import { bytesOfId, newId, toHex, type Versioning } from "@cairn/protocol";

/** Counters of one drive are spread over so many rows. */
export const usageShards = 16;

export interface NewDrive {
  readonly name: string;
  readonly copies: number;
  /** Bytes of a chunk. */
  readonly chunkBytes: number;
  readonly versioning: Versioning;
}

/** Makes a drive with its root, its trash and its counters. Answers its id. */
export async function makeDrive(
  sql: Sql,
  world: { readonly clock: Clock; readonly random: Random },
  drive: NewDrive,
): Promise<Uint8Array> {
  const now = world.clock.now();
  const id = bytesOfId(newId("dr_", now, world.random.bytes(10)));
  const root = bytesOfId(newId("f_", now, world.random.bytes(10)));
  const trash = bytesOfId(newId("f_", now, world.random.bytes(10)));
  for (const folder of [root, trash]) {
    await sql.run(
      `INSERT INTO entry (id, drive, sort_name, kind, implicit, size, chunks, created_at, modified_at)
       VALUES (?, ?, ?, 1, 0, 0, 0, ?, ?)`,
      folder,
      id,
      new Uint8Array(0),
      now,
      now,
    );
  }
  await sql.run(
    "INSERT INTO drive (id, name, root, trash, chunk_bytes, copies, created_at, versioning) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    id,
    drive.name,
    root,
    trash,
    drive.chunkBytes,
    drive.copies,
    now,
    drive.versioning,
  );
  for (let shard = 0; shard < usageShards; shard++) {
    await sql.run(
      "INSERT INTO usage (scope, shard, bytes, files, folders, trashed, versions) VALUES (?, ?, 0, 0, 0, 0, 0)",
      toHex(id),
      shard,
    );
  }
  return id;
}
