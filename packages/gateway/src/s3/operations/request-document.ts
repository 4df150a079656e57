import { ObjectBody } from "../object-body.ts";
import type { S3Call } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";

/** The whole of a small body whose checksum holds, if it came with one. Throws MaxMessageLengthExceeded, BadDigest. */
export async function checkedDocument(call: S3Call, bytesMax: number): Promise<Uint8Array> {
  if ((call.body.size ?? 0) > bytesMax) throw new S3Error("MaxMessageLengthExceeded");
  const body = new ObjectBody(call);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body.stream()) {
    bytes += piece.length;
    if (bytes > bytesMax) throw new S3Error("MaxMessageLengthExceeded");
    pieces.push(Uint8Array.from(piece));
  }
  await body.sums();
  return Buffer.concat(pieces);
}
