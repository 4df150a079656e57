import { randomBytes } from "node:crypto";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
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
  const { Body } = await sdk.send(new GetObjectCommand(place));
  return Buffer.compare((await Body?.transformToByteArray()) ?? new Uint8Array(0), bytes) === 0;
}

/** Requests of the nodes that answer, by route. */
async function requests(route: string): Promise<number> {
  let sum = 0;
  for (const { name, url } of (await s3.cluster.status()).processes) {
    if (!name.startsWith("node-") || url === undefined) continue;
    const text = await fetch(`${url}/metrics`).then(
      (reply) => reply.text(),
      () => "",
    );
    const lines = text.matchAll(/^cairn_chunk_requests_total\{([^}]*)\} (\d+)$/gm);
    for (const [, labels = "", count] of lines) if (labels.includes(`route="${route}"`)) sum += Number(count);
  }
  return sum;
}

test("a gateway asks nodes of its machine where chunks are, and reads the bytes itself", async () => {
  expect(await download()).toBe(true);
  expect(await requests("place")).toBeGreaterThanOrEqual(5);
  expect(await requests("get")).toBe(0);
});

test("from a node that is down nothing is read, though its disk is there", async () => {
  await s3.cluster.kill("node-1");
  expect(await download()).toBe(true);
});
