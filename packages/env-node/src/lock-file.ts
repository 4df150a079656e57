import { StorageError } from "@cairn/protocol";
import { makePrivateFile } from "./private-file.ts";
import { openEngine } from "./sqlite-engine.ts";
import { fromSystemError } from "./system-error.ts";

/**
 * An exclusive lock among processes that ends with its holder on every platform: a transaction held open in a small
 * SQLite file. Throws unavailable at once when another process holds it.
 */
export async function lockFile(place: string): Promise<AsyncDisposable> {
  const engine = await openEngine();
  await makePrivateFile(place);
  let database: InstanceType<typeof engine> | undefined;
  try {
    database = new engine(place);
    database.exec("PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) {
      throw new StorageError("unavailable", "lock folder", place, {
        hint: "Another process uses this data folder. Stop it first, or choose another folder with --data.",
        details: { locked: true },
        cause: error,
      });
    }
    throw fromSystemError(error, "lock folder", place);
  }
  const held = database;
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      held.close();
    },
  };
}
