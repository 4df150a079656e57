import { randomBytes } from "node:crypto";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
const bucket = "shared";
const objects = Array.from({ length: 60 }, (_, index) => ({ key: `k${index}`, bytes: randomBytes(20_000) }));

beforeAll(async () => {
  s3 = await S3Cluster.start(["--gateways", "2"]);
  sdk = s3.sdk({ maxAttempts: 8 });
  await sdk.send(new CreateBucketCommand({ Bucket: bucket }));
}, 60_000);

afterAll(async () => {
  await s3[Symbol.asyncDispose]();
}, 60_000);

async function put({ key, bytes }: (typeof objects)[number], client = sdk): Promise<string> {
  const { $metadata } = await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }));
  return $metadata.requestId ?? "";
}

test("several processes answer one port", async () => {
  const requests = await Promise.all(objects.map((object) => put(object)));
  // The first ten digits are the process's own.
  expect(new Set(requests.map((id) => id.slice(0, 10))).size).toBe(2);
});

test("what one was told all know, and a gateway that dies in the middle costs retries and nothing else", async () => {
  const more = objects.map(({ key, bytes }) => ({ key: `more/${key}`, bytes }));
  const writing = Promise.all(more.map((object) => put(object)));
  await s3.cluster.kill("gateway-1");
  await writing;
  const listed = await sdk.send(new ListObjectsV2Command({ Bucket: bucket }));
  expect(listed.KeyCount).toBe(2 * objects.length);
  for (const { key, bytes } of [...objects, ...more]) {
    const { Body } = await sdk.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    expect(Buffer.compare((await Body?.transformToByteArray()) ?? new Uint8Array(0), bytes), key).toBe(0);
  }
});

test("it comes back to the same port", async () => {
  await s3.cluster.revive("gateway-1");
  // Connections that are there stay where they are.
  const fresh = s3.sdk();
  const requests = await Promise.all(objects.map((object) => put(object, fresh)));
  expect(new Set(requests.map((id) => id.slice(0, 10))).size).toBe(2);
});
