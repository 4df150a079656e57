import type { IncomingMessage } from "node:http";
import { readRequest, type S3Request } from "../../s3-request.ts";
import type { Signed, Signer } from "./sign.ts";

/** The key, the moment and the region of the examples in the S3 API reference. */
export const exampleSigner: Signer = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  timestamp: "20130524T000000Z",
  region: "us-east-1",
};

/** The moment of `exampleSigner`, ms since 1970. */
export const exampleNow: number = Date.UTC(2013, 4, 24);

/** A request as the server reads it off a connection, without one. */
export function received({ method, target, headers }: Pick<Signed, "method" | "target" | "headers">): S3Request {
  return receivedRaw(method, target, Object.entries(headers).flat());
}

/** The same with headers as they come: names and values in turn. */
export function receivedRaw(method: string, target: string, rawHeaders: readonly string[]): S3Request {
  return readRequest({ method, url: target, rawHeaders } as unknown as IncomingMessage, "REQUEST", [
    "s3.amazonaws.com",
  ]);
}
