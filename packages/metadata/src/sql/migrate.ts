import type { Clock, Random, Sql, SqlDatabase } from "@cairn/env";
import { StorageError, toHex } from "@cairn/protocol";
import { makeDrive } from "./make-drive.ts";
import { migrations } from "./schema.ts";

/** The engine's word for a byte string. */
export type BlobType = "BLOB" | "BYTEA";

export interface MigrateOptions {
  /** BLOB for SQLite, BYTEA for PostgreSQL; absent: BLOB. */
  readonly blob?: BlobType;
  /** Copies of each chunk and bytes of a chunk of the drive `main`, if it is made now. */
  readonly copies: number;
  readonly chunkBytes: number;
}

/**
 * Brings a database to this version's schema and makes the cluster and its drive `main` if they are not there; all of it
 * in one transaction. Throws conflict when the database was written by a newer version.
 */
export async function migrate(
  world: { readonly database: SqlDatabase; readonly clock: Clock; readonly random: Random },
  options: MigrateOptions,
): Promise<void> {
  await world.database.write(async (sql) => {
    await sql.run("CREATE TABLE IF NOT EXISTS cluster (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
    await applyMigrations(sql, options.blob ?? "BLOB");
    await makeCluster(sql, world.clock, world.random);
    const drive = await sql.get("SELECT id FROM drive LIMIT 1");
    const { copies, chunkBytes } = options;
    if (!drive) await makeDrive(sql, world, { name: "main", copies, chunkBytes, versioning: "enabled" });
  });
}

async function applyMigrations(sql: Sql, blob: BlobType): Promise<void> {
  const row = await sql.get<{ value: string }>("SELECT value FROM cluster WHERE name = 'schema'");
  const present = row ? Number(row.value) : 0;
  if (present > migrations.length) {
    throw new StorageError("conflict", "open metadata", `schema ${present}; this version knows ${migrations.length}`, {
      hint: "A newer version of Cairn wrote this database. Start that version, or restore a backup made before it.",
    });
  }
  const clustered = blob === "BLOB" ? "WITHOUT ROWID" : "";
  for (const statement of migrations.slice(present).flat()) {
    await sql.run(statement.replaceAll("{blob}", blob).replaceAll("{clustered}", clustered));
  }
  await setClusterValue(sql, "schema", String(migrations.length));
}

async function makeCluster(sql: Sql, clock: Clock, random: Random): Promise<void> {
  if (await sql.get("SELECT value FROM cluster WHERE name = 'id'")) return;
  await setClusterValue(sql, "id", toHex(random.bytes(16)));
  await setClusterValue(sql, "incarnation", "1");
  await setClusterValue(sql, "created_at", String(clock.now()));
}

async function setClusterValue(sql: Sql, name: string, value: string): Promise<void> {
  await sql.run(
    "INSERT INTO cluster (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    name,
    value,
  );
}
