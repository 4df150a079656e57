import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MiB, seededBytes } from "../support/content.ts";
import { md5, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
const [from, to] = ["from", "to-another"];
const body = seededBytes("copied", 40 * MiB + 5);

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  for (const Bucket of [from, to]) await sdk.send(new CreateBucketCommand({ Bucket }));
  await sdk.send(new PutObjectCommand({ Bucket: from, Key: "whole", Body: body, ChecksumAlgorithm: "CRC32" }));
  const params = { Bucket: from, Key: "parts", Body: Buffer.from(body) };
  await new Upload({ client: sdk, params, partSize: 8 * MiB }).done();
});
afterAll(() => s3[Symbol.asyncDispose]());

/** Runs the work; the answer says how often chunks were read and written meanwhile. */
async function chunkTraffic(work: () => Promise<unknown>): Promise<{ reads: number; writes: number }> {
  const count = async (): Promise<{ reads: number; writes: number }> => {
    const routes = await s3.chunkRequests();
    const sum = (...names: string[]): number => names.reduce((all, name) => all + (routes.get(name) ?? 0), 0);
    return { reads: sum("get", "read-batch", "place"), writes: sum("put", "put-batch") };
  };
  const before = await count();
  await work();
  const after = await count();
  return { reads: after.reads - before.reads, writes: after.writes - before.writes };
}

test.each(["whole", "parts"])(
  "a copy of an object that came as %s moves no chunk, in another bucket too",
  async (Key) => {
    const CopySource = `${from}/${Key}`;
    expect(await chunkTraffic(() => sdk.send(new CopyObjectCommand({ Bucket: to, Key, CopySource })))).toEqual({
      reads: 0,
      writes: 0,
    });
    const heads = await Promise.all(
      [from, to].map((Bucket) => sdk.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }))),
    );
    const [source, copy] = heads.map(({ ETag, ContentLength, ChecksumCRC32 }) => ({
      ETag,
      ContentLength,
      ChecksumCRC32,
    }));
    expect(copy).toEqual(source);
    expect((await s3.bytesOf({ Bucket: to, Key })).equals(body)).toBe(true);
  },
);

test("a checksum that the source does not have is computed from its bytes", async () => {
  const copy = { Bucket: to, Key: "summed", CopySource: `${from}/parts`, ChecksumAlgorithm: "SHA256" } as const;
  const { CopyObjectResult } = await sdk.send(new CopyObjectCommand(copy));
  const put = { Bucket: to, Key: "put", Body: body, ChecksumAlgorithm: "SHA256" } as const;
  const { ChecksumSHA256 } = await sdk.send(new PutObjectCommand(put));
  expect(CopyObjectResult).toMatchObject({ ETag: `"${md5(body)}"`, ChecksumSHA256 });
});

test("an object copied in parts moves no chunk where the parts begin and end with chunks", async () => {
  const place = { Bucket: to, Key: "assembled" };
  const { UploadId } = await sdk.send(new CreateMultipartUploadCommand(place));
  const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
  const copyParts = async (): Promise<void> => {
    for (let start = 0, PartNumber = 1; start < body.length; start += 8 * MiB, PartNumber++) {
      const range = `bytes=${start}-${Math.min(start + 8 * MiB, body.length) - 1}`;
      const part = { ...place, UploadId, PartNumber, CopySource: `${from}/whole`, CopySourceRange: range };
      const { CopyPartResult } = await sdk.send(new UploadPartCopyCommand(part));
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag });
    }
    await sdk.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts } }));
  };
  expect(await chunkTraffic(copyParts)).toEqual({ reads: 0, writes: 0 });
  expect(new Set(Parts.map(({ ETag }) => ETag)).size).toBe(6);
  expect((await s3.bytesOf(place)).equals(body)).toBe(true);
});

test("a copy outlives its source, also when a node is killed", async () => {
  const Key = "outlives";
  const Body = seededBytes(Key, 9 * MiB);
  const { reads, writes } = await chunkTraffic(() => sdk.send(new PutObjectCommand({ Bucket: from, Key, Body })));
  expect([reads, writes > 0]).toEqual([0, true]);
  await s3.cluster.kill("node-2");
  await sdk.send(new CopyObjectCommand({ Bucket: to, Key, CopySource: `${from}/${Key}` }));
  await sdk.send(new PutObjectCommand({ Bucket: from, Key, Body: "overwritten" }));
  await s3.cluster.revive("node-2");
  expect((await s3.bytesOf({ Bucket: to, Key })).equals(Body)).toBe(true);
});
