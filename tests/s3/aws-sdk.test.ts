import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutBucketTaggingCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
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

const bytesOf = (Key: string, Range?: string): Promise<Buffer> => s3.bytesOf({ Bucket, Key, Range });

describe("buckets", () => {
  test("are made, found, listed and removed", async () => {
    await sdk.send(new CreateBucketCommand({ Bucket: "other" }));
    await sdk.send(new HeadBucketCommand({ Bucket: "other" }));
    expect((await sdk.send(new GetBucketLocationCommand({ Bucket: "other" }))).LocationConstraint).toBeUndefined();
    expect((await sdk.send(new GetBucketVersioningCommand({ Bucket: "other" }))).Status).toBeUndefined();
    expect((await sdk.send(new GetBucketVersioningCommand({ Bucket: "main" }))).Status).toBe("Enabled");
    const { Buckets } = await sdk.send(new ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toEqual(["main", "other", "photos"]);
    await sdk.send(new PutObjectCommand({ Bucket: "other", Key: "a/b", Body: "1" }));
    expect(await refusal(sdk.send(new DeleteBucketCommand({ Bucket: "other" })))).toEqual(["BucketNotEmpty", 409]);
    await sdk.send(new DeleteObjectCommand({ Bucket: "other", Key: "a/b" }));
    await sdk.send(new DeleteBucketCommand({ Bucket: "other" }));
    expect((await refusal(sdk.send(new HeadBucketCommand({ Bucket: "other" }))))[1]).toBe(404);
  });

  test("that are there, or have a name that cannot be, are refused", async () => {
    expect(await refusal(sdk.send(new CreateBucketCommand({ Bucket })))).toEqual(["BucketAlreadyOwnedByYou", 409]);
    expect(await refusal(sdk.send(new CreateBucketCommand({ Bucket: "Upper_Case" })))).toEqual([
      "InvalidBucketName",
      400,
    ]);
    expect(await refusal(sdk.send(new ListObjectsV2Command({ Bucket: "nowhere" })))).toEqual(["NoSuchBucket", 404]);
  });

  test("have tags", async () => {
    expect((await refusal(sdk.send(new GetBucketTaggingCommand({ Bucket }))))[0]).toBe("NoSuchTagSet");
    const TagSet = [{ Key: "team", Value: "ä" }];
    await sdk.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    expect((await sdk.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual(TagSet);
  });
});

describe("objects", () => {
  test.each([0, 1, 4096, 300_000, 5 * MiB + 17])(
    "S1 S16 of %i bytes come back as they went, with the MD5 as ETag",
    async (length) => {
      const body = seededBytes(`object ${length}`, length);
      const put = await sdk.send(new PutObjectCommand({ Bucket, Key: `size/${length}`, Body: body }));
      expect(put.ETag).toBe(`"${md5(body)}"`);
      expect(put.ChecksumCRC32).toBeDefined();
      const read = await sdk.send(new GetObjectCommand({ Bucket, Key: `size/${length}`, ChecksumMode: "ENABLED" }));
      expect(Buffer.from((await read.Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
      expect([read.ETag, read.ContentLength, read.ChecksumCRC32]).toEqual([put.ETag, length, put.ChecksumCRC32]);
    },
  );

  test("S2 are streamed with a trailer", async () => {
    const body = seededBytes("stream", 3 * MiB);
    const pieces = Array.from({ length: 48 }, (_, index) => body.subarray(index * 65_536, (index + 1) * 65_536));
    await sdk.send(
      new PutObjectCommand({ Bucket, Key: "streamed", Body: Readable.from(pieces), ContentLength: body.length }),
    );
    expect((await bytesOf("streamed")).equals(body)).toBe(true);
  });

  test.each(["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const)(
    "S6 keep their %s",
    async (ChecksumAlgorithm) => {
      const Key = `sums/${ChecksumAlgorithm}`;
      const put = await sdk.send(new PutObjectCommand({ Bucket, Key, Body: "checked", ChecksumAlgorithm }));
      const head = await sdk.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
      const name = `Checksum${ChecksumAlgorithm}` as const;
      expect(head[name]).toBeDefined();
      expect(head[name]).toBe(put[name]);
    },
  );

  test("keep their headers, metadata and tags", async () => {
    const described = {
      ContentType: "text/x-test; charset=utf-8",
      CacheControl: "max-age=5",
      ContentDisposition: 'attachment; filename="x.txt"',
      ContentEncoding: "gzip",
      ContentLanguage: "de",
    };
    const Metadata = { one: "1", "mixed-case": "Ab" };
    await sdk.send(
      new PutObjectCommand({ Bucket, Key: "described", Body: "x", ...described, Metadata, Tagging: "a=1&b=%C3%A4" }),
    );
    const head = await sdk.send(new HeadObjectCommand({ Bucket, Key: "described" }));
    expect(head).toMatchObject({ ...described, Metadata });
    const tags = await sdk.send(new GetObjectTaggingCommand({ Bucket, Key: "described" }));
    expect(tags.TagSet).toEqual([
      { Key: "a", Value: "1" },
      { Key: "b", Value: "ä" },
    ]);
    await sdk.send(
      new PutObjectTaggingCommand({ Bucket, Key: "described", Tagging: { TagSet: [{ Key: "c", Value: "" }] } }),
    );
    expect((await sdk.send(new GetObjectTaggingCommand({ Bucket, Key: "described" }))).TagSet).toEqual([
      { Key: "c", Value: "" },
    ]);
  });

  test.each([
    "a+b c",
    "ä/ö ü%20",
    "a//b",
    "/lead",
    "trail/",
    "a",
    "a/b",
    "..",
    "x/../y",
    "'(*)!~",
    "%2F",
    "日本/語.txt",
    "a=b&c?d#e",
  ])("S11 may have the key %j", async (Key) => {
    await sdk.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    expect((await bytesOf(Key)).toString()).toBe(Key);
    const { Contents } = await sdk.send(new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 }));
    expect(Contents?.[0]?.Key).toBe(Key);
  });

  test("S17 are read in ranges", async () => {
    const body = seededBytes("range", 2 * MiB + 5);
    await sdk.send(new PutObjectCommand({ Bucket, Key: "range", Body: body }));
    for (const [range, from, to] of [
      ["bytes=0-0", 0, 1],
      ["bytes=1048570-1048590", 1_048_570, 1_048_591],
      ["bytes=-7", body.length - 7, body.length],
      ["bytes=2097150-", 2_097_150, body.length],
    ] as const) {
      expect((await bytesOf("range", range)).equals(body.subarray(from, to)), range).toBe(true);
    }
    expect(
      await refusal(sdk.send(new GetObjectCommand({ Bucket, Key: "range", Range: `bytes=${body.length}-` }))),
    ).toEqual(["InvalidRange", 416]);
  });

  test("S10 are read and written on conditions", async () => {
    const Key = "condition";
    const { ETag } = await sdk.send(new PutObjectCommand({ Bucket, Key, Body: "1", IfNoneMatch: "*" }));
    expect(await refusal(sdk.send(new PutObjectCommand({ Bucket, Key, Body: "2", IfNoneMatch: "*" })))).toEqual([
      "PreconditionFailed",
      412,
    ]);
    expect(
      await refusal(
        sdk.send(new PutObjectCommand({ Bucket, Key, Body: "2", IfMatch: '"00000000000000000000000000000000"' })),
      ),
    ).toEqual(["PreconditionFailed", 412]);
    expect(
      await refusal(sdk.send(new PutObjectCommand({ Bucket, Key: "not there", Body: "2", IfMatch: ETag }))),
    ).toEqual(["NoSuchKey", 404]);
    expect((await refusal(sdk.send(new GetObjectCommand({ Bucket, Key, IfNoneMatch: ETag }))))[1]).toBe(304);
    expect((await refusal(sdk.send(new GetObjectCommand({ Bucket, Key, IfMatch: '"x"' }))))[1]).toBe(412);
    await sdk.send(new PutObjectCommand({ Bucket, Key, Body: "2", IfMatch: ETag }));
    expect((await bytesOf(Key)).toString()).toBe("2");
  });

  test("that are not there, and bodies that are not what they were said to be, are refused", async () => {
    expect(await refusal(sdk.send(new GetObjectCommand({ Bucket, Key: "nothing" })))).toEqual(["NoSuchKey", 404]);
    expect((await refusal(sdk.send(new HeadObjectCommand({ Bucket, Key: "nothing" }))))[1]).toBe(404);
    expect(
      await refusal(
        sdk.send(new PutObjectCommand({ Bucket, Key: "bad", Body: "x", ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==" })),
      ),
    ).toEqual(["BadDigest", 400]);
    expect(
      await refusal(sdk.send(new PutObjectCommand({ Bucket, Key: "bad", Body: "x", ChecksumCRC32: "AAAAAA==" }))),
    ).toEqual(["BadDigest", 400]);
    expect((await refusal(sdk.send(new HeadObjectCommand({ Bucket, Key: "bad" }))))[1]).toBe(404);
    expect(await refusal(sdk.send(new PutObjectCommand({ Bucket, Key: "k".repeat(1025), Body: "x" })))).toEqual([
      "KeyTooLongError",
      400,
    ]);
  });

  test("S33 are copied, with new metadata if asked", async () => {
    const body = seededBytes("copy", 3 * MiB);
    await sdk.send(new PutObjectCommand({ Bucket, Key: "source ä", Body: body, Metadata: { from: "source" } }));
    const CopySource = `${Bucket}/${encodeURIComponent("source ä")}`;
    const { CopyObjectResult } = await sdk.send(new CopyObjectCommand({ Bucket, Key: "copied", CopySource }));
    expect(CopyObjectResult?.ETag).toBe(`"${md5(body)}"`);
    expect((await sdk.send(new HeadObjectCommand({ Bucket, Key: "copied" }))).Metadata).toEqual({ from: "source" });
    await sdk.send(
      new CopyObjectCommand({
        Bucket,
        Key: "copied",
        CopySource: `${Bucket}/copied`,
        MetadataDirective: "REPLACE",
        Metadata: { new: "1" },
      }),
    );
    expect((await sdk.send(new HeadObjectCommand({ Bucket, Key: "copied" }))).Metadata).toEqual({ new: "1" });
    expect(
      await refusal(sdk.send(new CopyObjectCommand({ Bucket, Key: "copied", CopySource: `${Bucket}/copied` }))),
    ).toEqual(["InvalidRequest", 400]);
    expect((await bytesOf("copied")).equals(body)).toBe(true);
  });

  test("S1 tell their attributes", async () => {
    await sdk.send(new PutObjectCommand({ Bucket, Key: "attributes", Body: "12345" }));
    const found = await sdk.send(
      new GetObjectAttributesCommand({
        Bucket,
        Key: "attributes",
        ObjectAttributes: ["ETag", "ObjectSize", "Checksum", "StorageClass"],
      }),
    );
    expect(found).toMatchObject({ ETag: md5(Buffer.from("12345")), ObjectSize: 5, StorageClass: "STANDARD" });
    expect(found.Checksum?.ChecksumCRC32).toBeDefined();
  });

  test("are deleted, one by one and many at once", async () => {
    const keys = Array.from({ length: 5 }, (_, index) => `gone/${index}`);
    for (const Key of keys) await sdk.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    await sdk.send(new DeleteObjectCommand({ Bucket, Key: "gone/0" }));
    await sdk.send(new DeleteObjectCommand({ Bucket, Key: "gone/0" }));
    const Objects = keys.map((Key) => ({ Key }));
    const { Deleted } = await sdk.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Deleted?.map(({ Key }) => Key)).toEqual(keys);
    const listed = await sdk.send(new ListObjectsV2Command({ Bucket, Prefix: "gone/" }));
    expect([listed.KeyCount, listed.Contents]).toEqual([0, undefined]);
  });
});

describe("lists", () => {
  test("S13 go page by page in byte order, with prefixes", async () => {
    const Bucket = "lists";
    await sdk.send(new CreateBucketCommand({ Bucket }));
    const keys = ["a", "a/1", "a/2", "a-b", "b/c/d", "b/e", "ä", "𝒳", "z"];
    for (const Key of keys) await sdk.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
    const sorted = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    const seen: (string | undefined)[] = [];
    for (let ContinuationToken: string | undefined; ; ) {
      const page = await sdk.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2, ContinuationToken }));
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key));
      if (!page.IsTruncated) break;
      ContinuationToken = page.NextContinuationToken;
    }
    expect(seen).toEqual(sorted);
    const top = await sdk.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" }));
    expect(top.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(["a/", "b/"]);
    expect(top.Contents?.map(({ Key }) => Key)).toEqual(["a", "a-b", "z", "ä", "𝒳"]);
    expect(top.KeyCount).toBe(7);
    const old = await sdk.send(new ListObjectsCommand({ Bucket, Prefix: "b/", Delimiter: "/", EncodingType: "url" }));
    expect([old.Contents?.[0]?.Key, old.CommonPrefixes?.[0]?.Prefix]).toEqual(["b/e", "b/c/"]);
    const after = await sdk.send(new ListObjectsV2Command({ Bucket, StartAfter: "a/1", MaxKeys: 0 }));
    expect([after.KeyCount, after.IsTruncated, after.StartAfter]).toEqual([0, false, "a/1"]);
  });
});
