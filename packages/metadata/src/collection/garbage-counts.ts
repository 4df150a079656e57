import type { Sql } from "@cairn/env";

/** What table `chunk` knows of garbage. */
export interface GarbageCounts {
  /** Without references, live, and not yet condemned. */
  readonly unreferenced: ChunkCount;
  /** Writes that nodes are to delete and that are not forgotten. */
  readonly condemned: ChunkCount;
}

export interface ChunkCount {
  readonly chunks: number;
  readonly bytes: number;
}

/** Counts both; indexes make it as long as what is found. */
export async function countGarbage(sql: Sql): Promise<GarbageCounts> {
  return {
    unreferenced: await count(sql, "chunk WHERE refs = 0 AND state = 0"),
    condemned: await count(sql, "condemned LEFT JOIN chunk ON chunk.hash = condemned.hash"),
  };
}

/** Those without references since before `before`, wall clock ms. */
export function countOverdue(sql: Sql, before: number): Promise<ChunkCount> {
  return count(sql, "chunk WHERE refs = 0 AND state = 0 AND zero_at < ?", before);
}

async function count(sql: Sql, from: string, ...parameters: number[]): Promise<ChunkCount> {
  const row = await sql.get<{ chunks: number; bytes: number | null }>(
    `SELECT COUNT(*) AS chunks, SUM(chunk.length) AS bytes FROM ${from}`,
    ...parameters,
  );
  return { chunks: Number(row?.chunks ?? 0), bytes: Number(row?.bytes ?? 0) };
}
