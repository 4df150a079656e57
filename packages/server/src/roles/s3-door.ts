import { Socket } from "node:net";
import type { Env } from "@cairn/env";
import { openS3, type S3Door, type S3Options, type S3Server, startS3 } from "@cairn/gateway";
import type { MetadataService } from "@cairn/protocol";
import type { driveParts } from "./drive-parts.ts";
import { handedConnection } from "./role-config.ts";

/** What clients sign where nobody says otherwise. */
export const region = "us-east-1";
/** What a door is made of. `domains`: hosts below which the first name is a bucket, besides s3.localhost. */
export interface DoorParts extends ReturnType<typeof driveParts> {
  readonly env: Env;
  readonly metadata: MetadataService;
  readonly domains: readonly string[];
}

/** The S3 door of a gateway, on a port of its own, where `photos.localhost` is a bucket too. */
export function openS3Door(parts: DoorParts, at: { readonly host: string; readonly port: number }): Promise<S3Server> {
  return startS3(s3Options(parts, ["localhost"]), at);
}

/** The S3 door for requests that come to another port, and are for S3 by their Host. */
export function openDoorByHost(parts: DoorParts): S3Door {
  return openS3(s3Options(parts));
}

/** The S3 door of a process to which its supervisor hands connections, as `connection` with the socket. */
export function openHandedDoor(parts: DoorParts): AsyncDisposable {
  const door = openS3(s3Options(parts, ["localhost"]));
  process.on("message", (message, connection) => {
    if (message !== handedConnection || !(connection instanceof Socket)) return;
    door.accept(connection);
    // Whoever accepted it has not begun to read.
    connection.resume();
  });
  return door;
}

function s3Options({ domains, ...parts }: DoorParts, more: readonly string[] = []): S3Options {
  return { ...parts, region, domains: [...domains, "s3.localhost", ...more] };
}
