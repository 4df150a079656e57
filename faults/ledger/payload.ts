import { createCipheriv, createHash } from "node:crypto";

/** What a payload says of itself. `length` counts all bytes of the file, the header included. */
export interface PayloadHeader {
  readonly run: string;
  readonly client: number;
  readonly seq: number;
  readonly key: string;
  readonly length: number;
}

/** The shortest payload that has room for its own description. */
export const payloadBytesMin = 256;

/**
 * Bytes that tell which write made them: one line of JSON, then bytes that follow from it alone. Torn, mixed, misplaced
 * and stale content is recognised from the bytes themselves.
 */
export function payloadOf(header: PayloadHeader): Uint8Array {
  const line = Buffer.from(`${JSON.stringify(header)}\n`);
  if (header.length < line.length) throw new Error(`a payload of ${header.length} bytes has no room for its header`);
  const key = createHash("sha256").update(line).digest();
  const stream = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  return Buffer.concat([line, stream.update(Buffer.alloc(header.length - line.length))]);
}

/** The header of a whole and unchanged payload; throws what is wrong with any other bytes. */
export function parsePayload(bytes: Uint8Array): PayloadHeader {
  const end = bytes.indexOf(10);
  let header: PayloadHeader;
  try {
    header = JSON.parse(Buffer.from(bytes.subarray(0, end)).toString("utf8")) as PayloadHeader;
  } catch {
    throw new Error(
      `no payload: ${bytes.length} bytes that begin with ${Buffer.from(bytes.subarray(0, 16)).toString("hex")}`,
    );
  }
  if (bytes.length !== header.length) throw new Error(`${bytes.length} of ${header.length} bytes of ${nameOf(header)}`);
  const wanted = payloadOf(header);
  if (Buffer.compare(wanted, bytes) === 0) return header;
  const at = wanted.findIndex((byte, index) => byte !== bytes[index]);
  throw new Error(`${nameOf(header)} differs from what was written at byte ${at}`);
}

/** The write behind a payload, for people. */
export function nameOf({ key, client, seq }: Pick<PayloadHeader, "key" | "client" | "seq">): string {
  return `${key} client ${client} write ${seq}`;
}
