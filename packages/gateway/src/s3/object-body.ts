import type { BodyDigests, Digests } from "./checksum/body-digests.ts";
import { type ChecksumAlgorithm, checksumInfo } from "./checksum/checksum-algorithm.ts";
import { contentMd5, type RequestedChecksum, requestedChecksum } from "./checksum/checksum-request.ts";
import { formatChecksum, parseChecksum, requireSame } from "./checksum/checksum-value.ts";
import type { DigestAlgorithm } from "./checksum/streaming-checksum.ts";
import type { S3Call } from "./s3-call.ts";
import { S3Error } from "./s3-error.ts";

/** What is known of a body when its last byte has come and everything that was said of it holds. */
export interface BodySums {
  /** MD5 in hex. */
  readonly md5: string;
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined;
}

/** The bytes of an object on their way to the nodes, with the sums over them. */
export class ObjectBody {
  /** Bytes; undefined when the client did not say. */
  readonly size: number | undefined;
  readonly #call: S3Call;
  readonly #requested: RequestedChecksum | undefined;
  readonly #md5: Uint8Array | undefined;
  readonly #digests: BodyDigests;
  #bytes = 0;
  #ended = false;

  /** Throws InvalidDigest, InvalidRequest for headers that cannot be. `algorithm`: computed although nothing asks for it. */
  constructor(call: S3Call, algorithm?: ChecksumAlgorithm | undefined) {
    this.#call = call;
    this.size = call.body.size;
    this.#md5 = contentMd5(call.request.headers);
    const requested = requestedChecksum(call.request.headers);
    this.#requested = requested ?? (algorithm ? { algorithm, inTrailer: false } : undefined);
    const algorithms: DigestAlgorithm[] = ["MD5", ...(this.#requested ? [this.#requested.algorithm] : [])];
    this.#digests = call.digests.open(algorithms, this.size);
  }

  async *stream(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of this.#call.body.stream()) {
        this.#bytes += piece.length;
        const waiting = this.#digests.update(piece);
        if (waiting) await waiting;
        yield piece;
      }
      this.#ended = true;
    } finally {
      if (!this.#ended) this.#digests.abort();
    }
  }

  /** To be asked when the stream has ended. Throws IncompleteBody, BadDigest, MalformedTrailerError. */
  async sums(): Promise<BodySums> {
    if (!this.#ended || (this.size !== undefined && this.#bytes !== this.size)) throw new S3Error("IncompleteBody");
    const digests = await this.#digests.digest();
    const md5 = digestOf(digests, "MD5");
    if (this.#md5) requireSame("Content-MD5", this.#md5, md5);
    return { md5: Buffer.from(md5).toString("hex"), checksum: this.#checksum(digests) };
  }

  #checksum(digests: Digests): BodySums["checksum"] {
    const requested = this.#requested;
    if (!requested) return undefined;
    const { algorithm } = requested;
    const computed = digestOf(digests, algorithm);
    const sent = requested.inTrailer ? this.#trailing(algorithm) : requested.value;
    if (sent) requireSame(algorithm, sent, computed);
    return { algorithm, value: formatChecksum(computed) };
  }

  #trailing(algorithm: ChecksumAlgorithm): Uint8Array {
    const text = this.#call.body.trailers.get(checksumInfo[algorithm].header);
    if (text === undefined) throw new S3Error("MalformedTrailerError");
    return parseChecksum(algorithm, text);
  }
}

function digestOf(digests: Digests, algorithm: DigestAlgorithm): Uint8Array {
  const digest = digests.get(algorithm);
  if (!digest) throw new S3Error("InternalError");
  return digest;
}
