import type { Clock, Hasher, Random, SqlDatabase } from "@cairn/env";
import { type AccessKey, concatBytes, type NewAccessKey, StorageError, toBase64Url, utf8 } from "@cairn/protocol";
import type { MetadataKeys } from "../service/metadata-keys.ts";

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: string;
  readonly drives: string | null;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
}

interface AccessKeyWorld {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly keys: MetadataKeys;
}

const columns = "id, name, scopes, drives, created_at, expires_at, revoked_at";
const scopesKnown = ["read", "write"] as const;
const keysMax = 10_000;
const nameLengthMax = 100;
const drivesMax = 100;
/** Without letters and digits that look alike. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/**
 * Keys with which object APIs sign requests. To check a signature takes the secret itself, so none is stored: it is derived
 * from the cluster's own key and the id, and a copy of the database opens nothing.
 */
export class AccessKeys {
  readonly #world: AccessKeyWorld;

  constructor(world: AccessKeyWorld) {
    this.#world = world;
  }

  /** Throws invalid. The secret is shown this once. */
  async create(request: NewAccessKey): Promise<{ readonly key: AccessKey; readonly secret: string }> {
    const { name, expiresInMs } = request;
    checkRequest(request);
    const { clock, random, database } = this.#world;
    const now = clock.now();
    const row: KeyRow = {
      id: `CAIRN${[...random.bytes(15)].map((byte) => alphabet[byte % alphabet.length]).join("")}`,
      name,
      scopes: scopesKnown.filter((scope) => request.scopes.includes(scope)).join(" "),
      drives: request.drives === undefined ? null : JSON.stringify(request.drives),
      created_at: now,
      expires_at: expiresInMs === undefined ? null : Math.floor(now + expiresInMs),
      revoked_at: null,
    };
    await database.write((sql) =>
      sql.run(
        `INSERT INTO access_key (${columns}) VALUES (?, ?, ?, ?, ?, ?, NULL)`,
        row.id,
        row.name,
        row.scopes,
        row.drives,
        row.created_at,
        row.expires_at,
      ),
    );
    return { key: keyOfRow(row), secret: this.#secretOf(row.id) };
  }

  /** Keys that are neither revoked nor expired, oldest first. */
  async list(): Promise<readonly AccessKey[]> {
    const rows = await this.#world.database.read((sql) =>
      sql.all<KeyRow>(
        `SELECT ${columns} FROM access_key WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)
         ORDER BY created_at, id LIMIT ${keysMax}`,
        this.#world.clock.now(),
      ),
    );
    return rows.map(keyOfRow);
  }

  /** At once, for good. Revoking a revoked one is fine. Throws not-found. */
  async revoke(id: string): Promise<void> {
    const { clock, database } = this.#world;
    const changed = await database.write((sql) =>
      sql.run("UPDATE access_key SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?", clock.now(), id),
    );
    if (changed === 0) throw new StorageError("not-found", "revoke access key", id.slice(0, 80));
  }

  /** Throws unauthenticated for a key that is unknown, revoked or expired. */
  async signing(id: string): Promise<{ readonly key: AccessKey; readonly secret: string }> {
    const row =
      typeof id === "string" && id.length <= 128
        ? await this.#world.database.read((sql) =>
            sql.get<KeyRow>(`SELECT ${columns} FROM access_key WHERE id = ?`, id),
          )
        : undefined;
    const expired = row?.expires_at != null && row.expires_at <= this.#world.clock.now();
    if (!row || row.revoked_at !== null || expired) {
      throw new StorageError("unauthenticated", "check access key", "the key is unknown, revoked or expired", {
        details: { expired },
      });
    }
    return { key: keyOfRow(row), secret: this.#secretOf(row.id) };
  }

  #secretOf(id: string): string {
    const { hasher, keys } = this.#world;
    const text = utf8(`secret of access key ${id} of ${keys.cluster}`);
    const one = hasher.hmac(keys.tokenKey, concatBytes([utf8("cairn access key 1\0"), text]));
    // 40 characters, as long as others make them.
    return toBase64Url(one).slice(0, 40);
  }
}

function checkRequest({ name, scopes, drives, expiresInMs }: NewAccessKey): void {
  const isNamed = typeof name === "string" && name.trim() !== "" && name.length <= nameLengthMax;
  const isScoped = scopes.length > 0 && scopes.every((scope) => scopesKnown.includes(scope));
  const hasDrives = drives === undefined || (drives.length > 0 && drives.length <= drivesMax);
  const ends = expiresInMs === undefined || (Number.isFinite(expiresInMs) && expiresInMs > 0);
  if (isNamed && isScoped && hasDrives && ends) return;
  throw new StorageError("invalid", "create access key", String(name).slice(0, 80), {
    hint: `A key has a name of 1–${nameLengthMax} characters, read or write or both, and at most ${drivesMax} drives.`,
  });
}

function keyOfRow(row: KeyRow): AccessKey {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes.split(" ") as AccessKey["scopes"],
    ...(row.drives === null ? {} : { drives: JSON.parse(row.drives) as string[] }),
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
  };
}
