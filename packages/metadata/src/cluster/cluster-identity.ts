import type { SqlDatabase } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import type { MetadataKeys } from "../service/metadata-keys.ts";

/** Which cluster a database belongs to. */
export interface ClusterIdentity {
  readonly cluster: string;
  /** Raised when metadata is restored from a backup. */
  readonly incarnation: number;
}

/**
 * Ties a database to the keys at the first start, and checks at every later one that they belong together: an empty or
 * foreign database must never take the place of the one that knows what is on the nodes' disks. `keysAreNew`: they were
 * made by this start. Throws conflict.
 */
export async function adoptCluster(
  database: SqlDatabase,
  keys: MetadataKeys,
  keysAreNew: boolean,
): Promise<ClusterIdentity> {
  return database.write(async (sql) => {
    const rows = await sql.all<{ name: string; value: string }>(
      "SELECT name, value FROM cluster WHERE name IN ('bound_to', 'incarnation')",
    );
    const values = new Map(rows.map((row) => [row.name, row.value]));
    const bound = values.get("bound_to");
    if (bound !== undefined && bound !== keys.cluster) {
      throw new StorageError("conflict", "open metadata", `the database belongs to cluster ${bound}`, {
        hint: `The keys are those of ${keys.cluster}. Start with the keys file and the database of one cluster.`,
      });
    }
    if (bound === undefined) {
      if (!keysAreNew) {
        throw new StorageError("conflict", "open metadata", `the database of cluster ${keys.cluster} is missing`, {
          hint: "Restore the metadata database from its backup. Only if this cluster has never stored anything: remove its keys file and start again.",
        });
      }
      await sql.run("INSERT INTO cluster (name, value) VALUES ('bound_to', ?)", keys.cluster);
      await sql.run("UPDATE cluster SET value = ? WHERE name = 'id'", keys.cluster);
    }
    return { cluster: keys.cluster, incarnation: Number(values.get("incarnation") ?? "1") };
  });
}
