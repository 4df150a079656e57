import { Socket } from "node:net";
import type { Env } from "@cairn/env";
import { openS3, type S3Options, type S3Server, startS3 } from "@cairn/gateway";
import type { MetadataService } from "@cairn/protocol";
import type { driveParts } from "./drive-parts.ts";
import { handedConnection } from "./role-config.ts";

/** What clients sign where nobody says otherwise. */
export const region = "us-east-1";
/** `photos.localhost` is the bucket photos. */
const domains = ["s3.localhost", "localhost"];

/** The S3 door of a gateway, on a port of its own. */
export function openS3Door(
  env: Env,
  metadata: MetadataService,
  { host, port, ...parts }: ReturnType<typeof driveParts> & { readonly host: string; readonly port: number },
): Promise<S3Server> {
  return startS3(s3Options(env, metadata, parts), { host, port });
}

/** The S3 door of a process to which its supervisor hands connections, as `connection` with the socket. */
export function openHandedDoor(
  env: Env,
  metadata: MetadataService,
  parts: ReturnType<typeof driveParts>,
): AsyncDisposable {
  const door = openS3(s3Options(env, metadata, parts));
  process.on("message", (message, connection) => {
    if (message !== handedConnection || !(connection instanceof Socket)) return;
    door.accept(connection);
    // Whoever accepted it has not begun to read.
    connection.resume();
  });
  return door;
}

function s3Options(env: Env, metadata: MetadataService, { reader, writer }: ReturnType<typeof driveParts>): S3Options {
  return { env, metadata, reader, writer, region, domains };
}
