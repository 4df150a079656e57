import type { Clock } from "@cairn/env";
import { type ClusterService, type Principal, type Scope, StorageError } from "@cairn/protocol";

const principalsMax = 1024;

/**
 * Who stands behind a bearer token. Where the metadata server is a round trip away, good tokens are remembered for a
 * moment; a revoked one works that much longer there at most. Refusals are never remembered.
 */
export class Principals {
  readonly #metadata: Pick<ClusterService, "authenticate">;
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #known = new Map<string, { readonly principal: Principal; readonly until: number }>();

  constructor(clock: Clock, metadata: Pick<ClusterService, "authenticate">, rememberMs = 0) {
    this.#clock = clock;
    this.#metadata = metadata;
    this.#rememberMs = rememberMs;
  }

  /** Throws unauthenticated, forbidden. */
  async authorise(secret: string, scope: Scope): Promise<Principal> {
    const principal = await this.#authenticate(secret);
    if (allows(principal, scope)) return principal;
    throw new StorageError("forbidden", "check access token", `this needs the scope '${scope}'`, {
      hint: "Use a token that was created with this scope.",
    });
  }

  async #authenticate(secret: string): Promise<Principal> {
    if (this.#rememberMs === 0) return this.#metadata.authenticate(secret);
    const found = this.#known.get(secret);
    if (found && found.until > this.#clock.monotonic()) return found.principal;
    this.#known.delete(secret);
    const askedAt = this.#clock.monotonic();
    const principal = await this.#metadata.authenticate(secret);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= principalsMax && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(secret, { principal, until: askedAt + this.#rememberMs });
    return principal;
  }
}

function allows({ scopes }: Principal, scope: Scope): boolean {
  return scopes.includes("admin") || scopes.includes(scope) || (scope === "read" && scopes.includes("write"));
}
