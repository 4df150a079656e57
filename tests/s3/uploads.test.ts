import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MiB, seededBytes } from "../support/content.ts";
import { md5, refusal, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
const Bucket = "photos";

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  await sdk.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3[Symbol.asyncDispose]());

const bytesOf = (Key: string): Promise<Buffer> => s3.bytesOf({ Bucket, Key });

describe("uploads in parts", () => {
  test("S16 S22 become an object with an ETag of its parts, also when a part is sent again", async () => {
    const Key = "parts";
    const content = (index: number, length: number): Uint8Array => seededBytes(`part ${index}`, length);
    const [one, two, three] = [content(0, 5 * MiB), content(1, 6 * MiB), content(2, 1000)] as const;
    const { UploadId } = await sdk.send(new CreateMultipartUploadCommand({ Bucket, Key, Metadata: { in: "parts" } }));
    const put = (PartNumber: number, Body: Uint8Array) =>
      sdk.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: Buffer.from(Body) }));
    await put(7, two);
    const [first, last] = [await put(1, one), await put(9, three)];
    const second = await put(7, two);
    const listed = await sdk.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    expect(listed.Parts?.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, 5 * MiB],
      [7, 6 * MiB],
      [9, 1000],
    ]);
    const uploads = await sdk.send(new ListMultipartUploadsCommand({ Bucket }));
    expect(uploads.Uploads?.map((upload) => upload.UploadId)).toContain(UploadId);
    const Parts = [
      [1, first],
      [7, second],
      [9, last],
    ] as const;
    const complete = () =>
      sdk.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key,
          UploadId,
          MultipartUpload: { Parts: Parts.map(([PartNumber, { ETag }]) => ({ PartNumber, ETag })) },
        }),
      );
    const { ETag } = await complete();
    const whole = Buffer.concat([one, two, three].map((part) => createHash("md5").update(part).digest()));
    expect(ETag).toBe(`"${md5(whole)}-3"`);
    expect((await complete()).ETag).toBe(ETag);
    expect((await bytesOf(Key)).equals(Buffer.concat([one, two, three]))).toBe(true);
    const part = await sdk.send(new GetObjectCommand({ Bucket, Key, PartNumber: 2 }));
    expect([part.ContentLength, part.PartsCount]).toEqual([6 * MiB, 3]);
    await part.Body?.transformToByteArray();
    expect((await sdk.send(new HeadObjectCommand({ Bucket, Key }))).Metadata).toEqual({ in: "parts" });
  });

  test("S35 by lib-storage, from a stream of unknown length", async () => {
    const body = seededBytes("lib-storage", 17 * MiB + 3);
    const pieces = Array.from({ length: 18 }, (_, index) => body.subarray(index * MiB, (index + 1) * MiB));
    await new Upload({
      client: sdk,
      params: { Bucket, Key: "lib", Body: Readable.from(pieces) },
      partSize: 5 * MiB,
    }).done();
    expect((await bytesOf("lib")).equals(body)).toBe(true);
  });

  test.each([
    ["CRC32", "FULL_OBJECT"],
    ["CRC32C", "FULL_OBJECT"],
    ["CRC64NVME", "FULL_OBJECT"],
    ["CRC32", "COMPOSITE"],
    ["CRC32C", "COMPOSITE"],
    ["SHA1", "COMPOSITE"],
    ["SHA256", "COMPOSITE"],
  ] as const)(
    "S1 S6 have a %s of the type %s, told by all who tell checksums",
    async (ChecksumAlgorithm, ChecksumType) => {
      const Key = `sums/${ChecksumAlgorithm} ${ChecksumType}`;
      const bodies = [seededBytes("sums 1", 5 * MiB), seededBytes("sums 2", 1000)];
      const { UploadId } = await sdk.send(
        new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm, ChecksumType }),
      );
      const name = `Checksum${ChecksumAlgorithm}` as const;
      const parts = [];
      for (const [index, Body] of bodies.entries()) {
        const part = { Bucket, Key, UploadId, PartNumber: index + 1, Body: Buffer.from(Body), ChecksumAlgorithm };
        const { ETag, [name]: sum } = await sdk.send(new UploadPartCommand(part));
        parts.push({ PartNumber: index + 1, ETag, [name]: sum });
      }
      const MultipartUpload = { Parts: parts };
      const made = await sdk.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
      const head = await sdk.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
      const told = await sdk.send(new GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes: ["Checksum"] }));
      expect(made[name]).toBeDefined();
      expect([head[name], told.Checksum?.[name], made.ChecksumType]).toEqual([made[name], made[name], ChecksumType]);
      expect(made[name]?.endsWith("-2")).toBe(ChecksumType === "COMPOSITE");
      if (ChecksumType === "COMPOSITE") return;
      const single = { Bucket, Key: "sums/whole", Body: Buffer.concat(bodies), ChecksumAlgorithm };
      expect((await sdk.send(new PutObjectCommand(single)))[name]).toBe(made[name]);
    },
  );

  test("are copied into, and refused when something is missing", async () => {
    const Key = "assembled";
    const source = seededBytes("assembled", 12 * MiB);
    await sdk.send(new PutObjectCommand({ Bucket, Key: "whole", Body: source }));
    const { UploadId } = await sdk.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const copy = (PartNumber: number, range: string) =>
      sdk.send(
        new UploadPartCopyCommand({
          Bucket,
          Key,
          UploadId,
          PartNumber,
          CopySource: `${Bucket}/whole`,
          CopySourceRange: range,
        }),
      );
    const one = await copy(1, `bytes=0-${6 * MiB - 1}`);
    const two = await copy(2, `bytes=${6 * MiB}-${12 * MiB - 1}`);
    const complete = (Parts: { PartNumber: number; ETag: string | undefined }[]) =>
      sdk.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    const [a, b] = [one, two].map(({ CopyPartResult }) => CopyPartResult?.ETag);
    expect(await refusal(complete([{ PartNumber: 1, ETag: b }]))).toEqual(["InvalidPart", 400]);
    expect(
      await refusal(
        complete([
          { PartNumber: 2, ETag: b },
          { PartNumber: 1, ETag: a },
        ]),
      ),
    ).toEqual(["InvalidPartOrder", 400]);
    const Parts = [
      { PartNumber: 1, ETag: a },
      { PartNumber: 2, ETag: b },
    ];
    const conditional = { Bucket, Key: "whole", UploadId, MultipartUpload: { Parts }, IfNoneMatch: "*" };
    expect((await refusal(sdk.send(new CompleteMultipartUploadCommand(conditional))))[0]).toBe("NoSuchUpload");
    await complete(Parts);
    const again = await sdk.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const part = await sdk.send(
      new UploadPartCommand({ Bucket, Key, UploadId: again.UploadId, PartNumber: 1, Body: Buffer.from("x") }),
    );
    const only = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
    const unlessThere = { Bucket, Key, UploadId: again.UploadId, MultipartUpload: only, IfNoneMatch: "*" };
    expect(await refusal(sdk.send(new CompleteMultipartUploadCommand(unlessThere)))).toEqual([
      "PreconditionFailed",
      412,
    ]);
    expect((await bytesOf(Key)).equals(source)).toBe(true);
  });
});

describe("one namespace", () => {
  test("what S3 writes is seen by the SDK of Cairn, and the other way round", async () => {
    await sdk.send(new PutObjectCommand({ Bucket: "main", Key: "shared/by-s3.txt", Body: "from S3" }));
    const entry = await s3.client.stat("/shared/by-s3.txt");
    expect(entry).toMatchObject({ size: 7, kind: "file" });
    const { entry: other } = await s3.client.upload(
      { bytes: Buffer.from("from Cairn") },
      { folder: "/shared", name: "by-cairn.txt" },
    );
    const { Body, ETag } = await sdk.send(new GetObjectCommand({ Bucket: "main", Key: "shared/by-cairn.txt" }));
    expect([await Body?.transformToString(), ETag]).toEqual(["from Cairn", `"${other.etag?.slice(7, 39)}-1"`]);
    await sdk.send(new PutObjectCommand({ Bucket: "main", Key: "shared/by-cairn.txt", Body: "changed by S3" }));
    const versions = await s3.client.listVersions(other.id);
    expect(versions.items.map(({ size }) => size)).toEqual([13, 10]);
    await sdk.send(new DeleteObjectCommand({ Bucket: "main", Key: "shared/by-cairn.txt" }));
    const restored = await s3.client.restore(other.id);
    expect(restored.path).toBe("/shared/by-cairn.txt");
    expect((await sdk.send(new HeadObjectCommand({ Bucket: "main", Key: "shared/by-cairn.txt" }))).ContentLength).toBe(
      13,
    );
  });

  test("a node that is killed in the middle costs no object", async () => {
    const bodies = Array.from({ length: 30 }, (_, index) => seededBytes(`killed ${index}`, 200_000));
    const puts = bodies.map(async (Body, index) => {
      if (index === 10) await s3.cluster.kill("node-2");
      await sdk.send(new PutObjectCommand({ Bucket, Key: `killed/${index}`, Body }));
    });
    await Promise.all(puts);
    for (const [index, body] of bodies.entries()) expect((await bytesOf(`killed/${index}`)).equals(body)).toBe(true);
    await s3.cluster.revive("node-2");
  });
});
