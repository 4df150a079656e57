import type { DatabaseSync as PhotostructureDatabase } from "@photostructure/sqlite";

/** First release of SQLite without the bug that could damage a database whose write-ahead log is reset under two writers. */
const soundSqlite: readonly number[] = [3, 51, 3];

/** The SQLite binding of this Node: its own where that is sound, else a prebuilt one with the same interface. */
export async function openEngine(): Promise<typeof PhotostructureDatabase> {
  const builtIn = process.versions["sqlite"];
  if (builtIn !== undefined && isAtLeast(builtIn, soundSqlite)) {
    const name = "node:sqlite";
    return ((await import(name)) as { DatabaseSync: typeof PhotostructureDatabase }).DatabaseSync;
  }
  return (await import("@photostructure/sqlite")).DatabaseSync;
}

function isAtLeast(version: string, minimum: readonly number[]): boolean {
  const parts = version.split(".").map(Number);
  for (const [index, wanted] of minimum.entries()) {
    const actual = parts[index] ?? 0;
    if (actual !== wanted) return actual > wanted;
  }
  return true;
}
