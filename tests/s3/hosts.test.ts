import { request } from "node:http";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;

beforeAll(async () => {
  s3 = await S3Cluster.start(["--s3-domain", "s3.example.test"]);
}, 60_000);

afterAll(async () => {
  await s3[Symbol.asyncDispose]();
}, 60_000);

/** A client that signs for a name and is led to this machine, as a proxy or a name server would. */
function clientOf(host: string, port: number): S3Client {
  const client = s3.sdk({ endpoint: `http://${host}:${port}`, forcePathStyle: false });
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { hostname: string; headers: Record<string, string> };
      headers["host"] = `${(args.request as { hostname: string }).hostname}:${port}`;
      (args.request as { hostname: string }).hostname = "127.0.0.1";
      return next(args);
    },
    // Behind the signature.
    { step: "finalizeRequest", priority: "low" },
  );
  return client;
}

test.each(["s3.example.test", "s3.localhost"])(
  "below %s buckets are names, on the port of S3 and on that of REST",
  async (host) => {
    const bucket = `by-name-${host.split(".")[1]}`;
    for (const port of [new URL(s3.credentials.endpoint).port, new URL(s3.cluster.profile.url).port].map(Number)) {
      const sdk = clientOf(host, port);
      await sdk.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
        if (error.name !== "BucketAlreadyOwnedByYou") throw error;
      });
      // So long that the client waits to be asked for it.
      const Body = Buffer.alloc(3_000_000, String(port));
      await sdk.send(new PutObjectCommand({ Bucket: bucket, Key: `at/${port}`, Body }));
      const read = await sdk.send(new GetObjectCommand({ Bucket: bucket, Key: `at/${port}` }));
      expect(Buffer.compare((await read.Body?.transformToByteArray()) ?? new Uint8Array(0), Body)).toBe(0);
    }
  },
);

test("under any other name the port of REST is that of REST", async () => {
  const { url } = s3.cluster.profile;
  for (const host of ["localhost", "example.test", "xs3.example.test"]) {
    const type = await new Promise((resolve, reject) => {
      request(`${url}/nothing`, { headers: { host } }, (reply) => resolve(reply.resume().headers["content-type"]))
        .on("error", reject)
        .end();
    });
    expect(String(type), host).toContain("application/problem+json");
  }
});
