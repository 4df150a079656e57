import type { Sql } from "@cairn/env";

/** What table `chunk` knows of garbage. */
export interface GarbageCounts {
  /** Without references, live, and not yet condemned. */
  readonly unreferenced: { readonly chunks: number; readonly bytes: number };
  /** Writes that nodes are to delete and that are not forgotten. */
  readonly condemned: number;
}

/** Counts both; the index of chunks without references makes it as long as what is found. */
export async function countGarbage(sql: Sql): Promise<GarbageCounts> {
  const row = await sql.get<{ chunks: number; bytes: number | null }>(
    "SELECT COUNT(*) AS chunks, SUM(length) AS bytes FROM chunk WHERE refs = 0 AND state = 0",
  );
  const condemned = await sql.get<{ count: number }>("SELECT COUNT(*) AS count FROM condemned");
  return {
    unreferenced: { chunks: Number(row?.chunks ?? 0), bytes: Number(row?.bytes ?? 0) },
    condemned: Number(condemned?.count ?? 0),
  };
}
