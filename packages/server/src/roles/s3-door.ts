import type { Env } from "@cairn/env";
import { type S3Server, startS3 } from "@cairn/gateway";
import type { MetadataService } from "@cairn/protocol";
import type { driveParts } from "./drive-parts.ts";

/** What clients sign where nobody says otherwise. */
const region = "us-east-1";
/** `photos.localhost` is the bucket photos. */
const domains = ["s3.localhost", "localhost"];

/** The S3 door of a gateway, on a port of its own. */
export function openS3Door(
  env: Env,
  metadata: MetadataService,
  { reader, writer, host, port }: ReturnType<typeof driveParts> & { readonly host: string; readonly port: number },
): Promise<S3Server> {
  return startS3({ env, metadata, reader, writer, listen: { host, port }, region, domains });
}
