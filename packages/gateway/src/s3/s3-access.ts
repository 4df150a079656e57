import type { Clock } from "@cairn/env";
import { type AccessKey, isKind, type ObjectService } from "@cairn/protocol";
import { S3Error } from "./s3-error.ts";

/** What an operation needs: to see, to change, or to make and remove buckets. */
export type S3Right = "read" | "write";

const rememberMs = 1000;
const rememberedMax = 1024;

interface Known {
  readonly signing: Promise<{ readonly key: AccessKey; readonly secret: string }>;
  readonly until: number;
}

/** Access keys as the metadata server has them, remembered for a second. */
export class S3Keys {
  readonly #clock: Clock;
  readonly #metadata: Pick<ObjectService, "signingKey">;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock, metadata: Pick<ObjectService, "signingKey">) {
    this.#clock = clock;
    this.#metadata = metadata;
  }

  /** Throws InvalidAccessKeyId. */
  async find(id: string): Promise<{ readonly key: AccessKey; readonly secret: string }> {
    const now = this.#clock.monotonic();
    const known = this.#known.get(id);
    if (known && known.until > now) return await known.signing;
    const signing = this.#ask(id);
    this.#known.delete(id);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= rememberedMax && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(id, { signing, until: now + rememberMs });
    // A refusal is not remembered.
    signing.catch(() => this.#known.delete(id));
    return await signing;
  }

  async #ask(id: string): Promise<{ readonly key: AccessKey; readonly secret: string }> {
    try {
      return await this.#metadata.signingKey(id);
    } catch (error) {
      if (!isKind(error, "unauthenticated")) throw error;
      throw new S3Error("InvalidAccessKeyId", undefined, { AWSAccessKeyId: id.slice(0, 128) });
    }
  }
}

/** Throws AccessDenied unless the key may do this in the bucket; undefined: to the account. */
export function requireRight(key: AccessKey, right: S3Right, bucket: string | undefined): void {
  const may = key.scopes.includes("write") || (right === "read" && key.scopes.includes("read"));
  if (!may || !reaches(key, bucket)) throw new S3Error("AccessDenied");
}

/** True when the key may see the bucket; a key for some buckets makes no others. */
export function reaches({ drives }: AccessKey, bucket: string | undefined): boolean {
  return drives === undefined || (bucket !== undefined && drives.includes(bucket));
}
