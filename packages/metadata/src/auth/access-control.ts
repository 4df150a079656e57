import type { Clock, Hasher, Random, SqlDatabase } from "@cairn/env";
import { type AccessToken, equalConstantTime, type Principal, type Scope, StorageError, toHex } from "@cairn/protocol";
import { hashOfSecret, newSecret } from "./secret.ts";

export interface AccessEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
}

interface TokenRow {
  readonly id: string;
  readonly secret_hash: Uint8Array;
  readonly name: string;
  readonly scopes: string;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly revoked_at: number | null;
}

interface Known {
  readonly row: TokenRow;
  readonly until: number;
}

const columns = "id, secret_hash, name, scopes, created_at, expires_at, revoked_at";
const scopesKnown: readonly Scope[] = ["read", "write", "admin"];
/** The scope of a gateway's own credential: it opens the internal services and is no user's. */
const serviceScope = "service";
const nameLengthMax = 100;
const tokensMax = 10_000;
const cacheMax = 1024;
/** Another metadata server over the same database may have revoked a token; this one learns it so late at most. */
const cacheMs = 2000;

/** Bearer tokens of users and gateways, and the secrets with which nodes and gateways join. */
export class AccessControl {
  readonly #env: AccessEnv;
  readonly #database: SqlDatabase;
  readonly #known = new Map<string, Known>();
  /** Rises with every revocation: what was read before one must not be remembered after it. */
  #revocations = 0;

  constructor(env: AccessEnv, database: SqlDatabase) {
    this.#env = env;
    this.#database = database;
  }

  /** Who stands behind a user's bearer token. Throws unauthenticated. */
  async authenticate(secret: string): Promise<Principal> {
    const row = await this.#find(secret, "check access token");
    const scopes = row.scopes.split(" ").filter((scope): scope is Scope => scopesKnown.includes(scope as Scope));
    if (scopes.length === 0) throw refusal("check access token");
    return { token: row.id, name: row.name, scopes };
  }

  /** Which gateway stands behind a service credential. Throws unauthenticated. */
  async authenticateService(secret: string): Promise<{ readonly token: string; readonly name: string }> {
    const row = await this.#find(secret, "check service credential");
    if (row.scopes !== serviceScope) throw refusal("check service credential");
    return { token: row.id, name: row.name };
  }

  /** Throws invalid. The secret is shown this once and never again. */
  async createToken(request: {
    name: string;
    scopes: readonly Scope[];
    expiresInMs?: number | undefined;
  }): Promise<{ token: AccessToken; secret: string }> {
    const scopes = scopesKnown.filter((scope) => request.scopes.includes(scope));
    if (scopes.length === 0 || request.scopes.some((scope) => !scopesKnown.includes(scope))) {
      throw new StorageError("invalid", "create access token", request.scopes.join(" "), {
        hint: "Scopes are read, write and admin; name at least one.",
      });
    }
    return this.#create(request.name, scopes, request.expiresInMs);
  }

  /** Tokens that are neither revoked nor expired, oldest first; gateways' credentials are not among them. */
  async listTokens(): Promise<readonly AccessToken[]> {
    const rows = await this.#database.read((sql) =>
      sql.all<TokenRow>(
        `SELECT ${columns} FROM access_token WHERE revoked_at IS NULL AND scopes <> ? AND (expires_at IS NULL OR expires_at > ?)
         ORDER BY created_at, id LIMIT ?`,
        serviceScope,
        this.#env.clock.now(),
        tokensMax,
      ),
    );
    return rows.map(tokenOfRow);
  }

  /** At once, for good. Revoking a revoked one is fine. Throws not-found. */
  async revokeToken(token: string): Promise<void> {
    const changed = await this.#database.write((sql) =>
      sql.run(
        "UPDATE access_token SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?",
        this.#env.clock.now(),
        token,
      ),
    );
    this.#revocations++;
    this.#known.clear();
    if (changed === 0) throw new StorageError("not-found", "revoke access token", token.slice(0, 80));
  }

  /**
   * The first admin token of a new cluster; undefined when the cluster has had any token already, so that a restart
   * never hands out another one.
   */
  async createFirstAdminToken(name: string): Promise<{ token: AccessToken; secret: string } | undefined> {
    const any = await this.#database.read((sql) =>
      sql.get("SELECT id FROM access_token WHERE scopes <> ? LIMIT 1", serviceScope),
    );
    return any ? undefined : this.#create(name, ["admin"], undefined);
  }

  /** Throws invalid unless it ends between a minute and a year from now. */
  async createJoinToken(request: { expiresInMs: number }): Promise<{ secret: string; expiresAt: number }> {
    const { expiresInMs } = request;
    if (!Number.isFinite(expiresInMs) || expiresInMs < 60_000 || expiresInMs > 366 * 86_400_000) {
      throw new StorageError("invalid", "create join token", `${expiresInMs} ms`, {
        hint: "A join token lives between a minute and a year.",
      });
    }
    const secret = newSecret("join", this.#env.random);
    const hash = await hashOfSecret(this.#env.hasher, secret);
    const now = this.#env.clock.now();
    const expiresAt = now + expiresInMs;
    await this.#database.write(async (sql) => {
      await sql.run("DELETE FROM join_token WHERE expires_at <= ?", now);
      await sql.run("INSERT INTO join_token (secret_hash, expires_at) VALUES (?, ?)", hash, expiresAt);
    });
    return { secret, expiresAt };
  }

  /** Throws unauthenticated unless it is a join token that has not ended. */
  async checkJoinToken(secret: string): Promise<void> {
    const hash = await hashOfSecret(this.#env.hasher, secret);
    const row = await this.#database.read((sql) =>
      sql.get<{ secret_hash: Uint8Array; expires_at: number }>(
        "SELECT secret_hash, expires_at FROM join_token WHERE secret_hash = ?",
        hash,
      ),
    );
    if (!row || !equalConstantTime(row.secret_hash, hash) || row.expires_at <= this.#env.clock.now()) {
      throw new StorageError("unauthenticated", "join cluster", "the join token is unknown or has expired", {
        hint: "Make a new join token on the metadata server and start again with it.",
      });
    }
  }

  /** A gateway's own credential in exchange for a join token. Throws unauthenticated, invalid. */
  async joinGateway(request: { secret: string; name: string }): Promise<{ credential: string }> {
    await this.checkJoinToken(request.secret);
    return this.createServiceCredential(request.name);
  }

  /** A credential for the internal services; for a gateway that the operator starts beside the metadata server. */
  async createServiceCredential(name: string): Promise<{ credential: string }> {
    const { secret } = await this.#create(name, [serviceScope], undefined);
    return { credential: secret };
  }

  async #create(
    name: string,
    scopes: readonly string[],
    expiresInMs: number | undefined,
  ): Promise<{ token: AccessToken; secret: string }> {
    if (name.trim() === "" || name.length > nameLengthMax) {
      throw new StorageError("invalid", "create access token", name.slice(0, 80), {
        hint: `A token's name has 1 to ${nameLengthMax} characters.`,
      });
    }
    if (expiresInMs !== undefined && !(Number.isFinite(expiresInMs) && expiresInMs > 0)) {
      throw new StorageError("invalid", "create access token", `${expiresInMs} ms`, {
        hint: "expiresInMs is a positive number of milliseconds; leave it out for a token without an end.",
      });
    }
    const secret = newSecret(scopes[0] === serviceScope ? "gateway" : "access", this.#env.random);
    const now = this.#env.clock.now();
    const row: TokenRow = {
      id: `tk_${toHex(this.#env.random.bytes(8))}`,
      secret_hash: await hashOfSecret(this.#env.hasher, secret),
      name,
      scopes: scopes.join(" "),
      created_at: now,
      expires_at: expiresInMs === undefined ? null : Math.floor(now + expiresInMs),
      revoked_at: null,
    };
    await this.#database.write((sql) =>
      sql.run(
        `INSERT INTO access_token (${columns}) VALUES (?, ?, ?, ?, ?, ?, NULL)`,
        row.id,
        row.secret_hash,
        row.name,
        row.scopes,
        row.created_at,
        row.expires_at,
      ),
    );
    return { token: tokenOfRow(row), secret };
  }

  /** Found by hash, so the time of the search tells nothing about the secret; the end is checked on every call. */
  async #find(secret: string, operation: string): Promise<TokenRow> {
    const hash = await hashOfSecret(this.#env.hasher, secret);
    const key = toHex(hash);
    const cached = this.#known.get(key);
    const revocations = this.#revocations;
    const row =
      cached && cached.until > this.#env.clock.monotonic()
        ? cached.row
        : await this.#database.read((sql) =>
            sql.get<TokenRow>(`SELECT ${columns} FROM access_token WHERE secret_hash = ?`, hash),
          );
    if (!row || !equalConstantTime(row.secret_hash, hash) || row.revoked_at !== null) throw refusal(operation);
    if (row.expires_at !== null && row.expires_at <= this.#env.clock.now()) throw refusal(operation);
    if (cached?.row !== row && revocations === this.#revocations) this.#remember(key, row);
    return row;
  }

  #remember(key: string, row: TokenRow): void {
    this.#known.delete(key);
    if (this.#known.size >= cacheMax) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(key, { row, until: this.#env.clock.monotonic() + cacheMs });
  }
}

function tokenOfRow(row: TokenRow): AccessToken {
  return {
    token: row.id,
    name: row.name,
    scopes: row.scopes.split(" ") as Scope[],
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
  };
}

function refusal(operation: string): StorageError {
  return new StorageError("unauthenticated", operation, "the token is unknown, revoked or expired", {
    hint: "Sign in again, or ask an administrator for a token.",
  });
}
