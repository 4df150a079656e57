import { randomBytes } from "node:crypto";
import { CreateBucketCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
const bytes = randomBytes(5_000_000);
const place = { Bucket: "near", Key: "film" };

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  await sdk.send(new CreateBucketCommand({ Bucket: place.Bucket }));
  await sdk.send(new PutObjectCommand({ ...place, Body: bytes }));
}, 60_000);

afterAll(async () => {
  await s3[Symbol.asyncDispose]();
}, 60_000);

async function download(): Promise<boolean> {
  return (await s3.bytesOf(place)).equals(bytes);
}

test("a gateway asks nodes of its machine where chunks are, and reads the bytes itself", async () => {
  expect(await download()).toBe(true);
  const requests = await s3.chunkRequests();
  expect(requests.get("place")).toBeGreaterThanOrEqual(5);
  expect(requests.get("get") ?? 0).toBe(0);
});

test("from a node that is down nothing is read, though its disk is there", async () => {
  await s3.cluster.kill("node-1");
  expect(await download()).toBe(true);
});
