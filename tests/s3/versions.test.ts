import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { CairnClient } from "@cairn/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
let buckets = 0;

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
}, 60_000);

afterAll(async () => {
  await s3[Symbol.asyncDispose]();
}, 60_000);

async function bucketWith(status?: "Enabled" | "Suspended"): Promise<string> {
  const Bucket = `versions-${++buckets}`;
  await sdk.send(new CreateBucketCommand({ Bucket }));
  if (status) await setVersioning(Bucket, status);
  return Bucket;
}

async function setVersioning(Bucket: string, Status: "Enabled" | "Suspended"): Promise<void> {
  await sdk.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
}

async function put(Bucket: string, Key: string, Body: string): Promise<string> {
  const { VersionId } = await sdk.send(new PutObjectCommand({ Bucket, Key, Body }));
  return VersionId ?? "none";
}

async function read(Bucket: string, Key: string, VersionId?: string): Promise<string> {
  const { Body } = await sdk.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  return (await Body?.transformToString()) ?? "";
}

const remove = (Bucket: string, Key: string, VersionId?: string) =>
  sdk.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));

/** Key, version and what it is, the latest with a star. SDKs give versions and markers apart: sorted by their text. */
async function listed(Bucket: string, asked: { MaxKeys?: number; Prefix?: string; Delimiter?: string } = {}) {
  const told: string[] = [];
  let markers: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
  for (let more = true; more; ) {
    const page = await sdk.send(new ListObjectVersionsCommand({ Bucket, ...asked, ...markers }));
    const all = [
      ...(page.Versions ?? []).map((it) => ({ ...it, what: `v${it.Size}` })),
      ...(page.DeleteMarkers ?? []).map((it) => ({ ...it, what: "marker" })),
    ];
    expect(all.length + (page.CommonPrefixes?.length ?? 0)).toBeLessThanOrEqual(asked.MaxKeys ?? 1000);
    told.push(...all.map((it) => `${it.Key} ${it.VersionId} ${it.what}${it.IsLatest ? " *" : ""}`));
    told.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => `${Prefix} …`));
    more = page.IsTruncated === true;
    markers = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
  return told.sort();
}

/** As `listed` tells it. */
const lines = (...told: string[]): string[] => told.sort();

describe("a bucket that keeps versions", () => {
  test("tells each one, reads each one, and calls the newest the latest", async () => {
    const Bucket = await bucketWith("Enabled");
    const [one, two, three] = [
      await put(Bucket, "a", "1"),
      await put(Bucket, "a", "22"),
      await put(Bucket, "a", "333"),
    ];
    expect(new Set([one, two, three]).size).toBe(3);
    expect(await listed(Bucket)).toEqual(lines(`a ${three} v3 *`, `a ${two} v2`, `a ${one} v1`));
    expect([await read(Bucket, "a"), await read(Bucket, "a", two), await read(Bucket, "a", one)]).toEqual([
      "333",
      "22",
      "1",
    ]);
    const head = await sdk.send(new HeadObjectCommand({ Bucket, Key: "a", VersionId: one }));
    expect([head.ContentLength, head.VersionId]).toEqual([1, one]);
  });

  test("marks what is deleted, and gives it back when the marker is deleted", async () => {
    const Bucket = await bucketWith("Enabled");
    const [one, two] = [await put(Bucket, "dir/a", "1"), await put(Bucket, "dir/a", "22")];
    const deleted = await remove(Bucket, "dir/a");
    const marker = deleted.VersionId ?? "";
    expect(deleted.DeleteMarker).toBe(true);
    expect((await sdk.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
    expect(await refusal(read(Bucket, "dir/a"))).toEqual(["NoSuchKey", 404]);
    expect(await refusal(read(Bucket, "dir/a", marker))).toEqual(["MethodNotAllowed", 405]);
    expect(await read(Bucket, "dir/a", one)).toBe("1");
    expect(await listed(Bucket)).toEqual(lines(`dir/a ${marker} marker *`, `dir/a ${two} v2`, `dir/a ${one} v1`));

    const undone = await remove(Bucket, "dir/a", marker);
    expect([undone.DeleteMarker, undone.VersionId]).toEqual([true, marker]);
    expect(await read(Bucket, "dir/a")).toBe("22");
    expect(await listed(Bucket)).toEqual(lines(`dir/a ${two} v2 *`, `dir/a ${one} v1`));
  });

  test("keeps what was before a marker below what comes after it, however the markers go", async () => {
    const Bucket = await bucketWith("Enabled");
    const one = await put(Bucket, "a", "1");
    const first = (await remove(Bucket, "a")).VersionId ?? "";
    const two = await put(Bucket, "a", "22");
    const second = (await remove(Bucket, "a")).VersionId ?? "";
    const three = await put(Bucket, "a", "333");
    const all = [`a ${three} v3 *`, `a ${second} marker`, `a ${two} v2`, `a ${first} marker`, `a ${one} v1`];
    expect(await listed(Bucket)).toEqual(lines(...all));
    expect(await listed(Bucket, { MaxKeys: 1 })).toEqual(lines(...all));
    await remove(Bucket, "a", first);
    expect(await listed(Bucket)).toEqual(lines(...all.toSpliced(3, 1)));
    await remove(Bucket, "a", second);
    expect(await listed(Bucket)).toEqual(lines(...all.toSpliced(3, 1).toSpliced(1, 1)));
    expect([await read(Bucket, "a", two), await read(Bucket, "a", one)]).toEqual(["22", "1"]);
    await remove(Bucket, "a", three);
    expect(await read(Bucket, "a")).toBe("22");
    await remove(Bucket, "a", two);
    await remove(Bucket, "a", one);
    expect(await listed(Bucket)).toEqual([]);
    expect(await refusal(read(Bucket, "a", one))).toEqual(["NoSuchVersion", 404]);
  });

  test("deletes single versions, also many at once", async () => {
    const Bucket = await bucketWith("Enabled");
    const versions = [await put(Bucket, "a", "1"), await put(Bucket, "a", "22"), await put(Bucket, "b", "1")];
    const marker = (await remove(Bucket, "b")).VersionId ?? "";
    const Objects = [
      { Key: "a", VersionId: versions[1] },
      { Key: "b", VersionId: marker },
      { Key: "b", VersionId: versions[0] },
      { Key: "c", VersionId: "v_00000000000000000000000000" },
      { Key: "a" },
    ];
    const { Deleted, Errors } = await sdk.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(Errors ?? []).toEqual([]);
    expect(Deleted).toHaveLength(5);
    expect(Deleted?.[1]).toMatchObject({
      Key: "b",
      VersionId: marker,
      DeleteMarker: true,
      DeleteMarkerVersionId: marker,
    });
    expect(await listed(Bucket)).toEqual(
      lines(`a ${Deleted?.[4]?.DeleteMarkerVersionId} marker *`, `a ${versions[0]} v1`, `b ${versions[2]} v1 *`),
    );
  });

  test("copies and tags single versions", async () => {
    const Bucket = await bucketWith("Enabled");
    const one = await put(Bucket, "a", "1");
    await put(Bucket, "a", "22");
    await sdk.send(
      new PutObjectTaggingCommand({
        Bucket,
        Key: "a",
        VersionId: one,
        Tagging: { TagSet: [{ Key: "k", Value: "v" }] },
      }),
    );
    const tagsOf = async (VersionId?: string) =>
      (await sdk.send(new GetObjectTaggingCommand({ Bucket, Key: "a", VersionId }))).TagSet;
    expect([await tagsOf(one), await tagsOf()]).toEqual([[{ Key: "k", Value: "v" }], []]);
    await remove(Bucket, "a");
    const copy = await sdk.send(
      new CopyObjectCommand({ Bucket, Key: "a", CopySource: `${Bucket}/a?versionId=${one}` }),
    );
    expect(copy.CopySourceVersionId).toBe(one);
    expect(await read(Bucket, "a")).toBe("1");
  });

  test("lists page by page, below prefixes and up to delimiters, what is there and what is marked", async () => {
    const Bucket = await bucketWith("Enabled");
    for (const key of ["a", "b/1", "b/2", "b!", "c/d/e", "ä"]) await put(Bucket, key, "1");
    for (const key of ["b/1", "b!", "c/d/e"]) await remove(Bucket, key);
    await put(Bucket, "b/1", "22");
    const plain = (told: string[]) => told.map((line) => line.replace(/ v_\w+/, "")).sort();
    const all = await listed(Bucket);
    expect(plain(all)).toEqual(
      lines(
        ...["a v1 *", "b! v1", "b/1 v2 *", "b/1 v1", "b/2 v1 *", "c/d/e v1", "ä v1 *"],
        ...["b! marker *", "b/1 marker", "c/d/e marker *"],
      ),
    );
    for (const MaxKeys of [1, 2, 3]) expect(await listed(Bucket, { MaxKeys })).toEqual(all);
    expect(plain(await listed(Bucket, { Delimiter: "/", MaxKeys: 2 }))).toEqual(
      lines("a v1 *", "b! v1", "b! marker *", "b/ …", "c/ …", "ä v1 *"),
    );
    expect(plain(await listed(Bucket, { Prefix: "b/" }))).toEqual(
      lines("b/1 v2 *", "b/1 v1", "b/2 v1 *", "b/1 marker"),
    );
  });
});

test("the versions and the trash of the drive are what S3 shows as versions and markers", async () => {
  const Bucket = await bucketWith("Enabled");
  await using drive = new CairnClient({ ...s3.cluster.profile, drive: Bucket });
  const written = [await put(Bucket, "f.txt", "1"), await put(Bucket, "f.txt", "22")];
  const { items } = await drive.listVersions("/f.txt");
  expect(items.map(({ version }) => version)).toEqual(written.toReversed());
  const marker = (await remove(Bucket, "f.txt")).VersionId;
  const [trashed] = (await drive.listTrash()).items;
  expect(`v_${trashed?.id.slice(2)}`).toBe(marker);

  await drive.restore(trashed?.id ?? "");
  expect(await listed(Bucket)).toEqual(lines(`f.txt ${written[1]} v2 *`, `f.txt ${written[0]} v1`));
  const { entry } = await drive.upload({ bytes: new Uint8Array(3) }, { name: "f.txt", onConflict: "version" });
  expect(await listed(Bucket)).toContain(`f.txt ${entry.version} v3 *`);
});

describe("a bucket whose versioning is suspended", () => {
  test("keeps what it kept, and replaces what comes now", async () => {
    const Bucket = await bucketWith();
    expect(await put(Bucket, "a", "1")).toBe("none");
    expect(await listed(Bucket)).toEqual(lines("a null v1 *"));
    await setVersioning(Bucket, "Enabled");
    const two = await put(Bucket, "a", "22");
    expect(await listed(Bucket)).toEqual(lines(`a ${two} v2 *`, "a null v1"));
    expect(await read(Bucket, "a", "null")).toBe("1");

    await setVersioning(Bucket, "Suspended");
    expect(await put(Bucket, "a", "333")).toBe("null");
    expect(await listed(Bucket)).toEqual(lines("a null v3 *", `a ${two} v2`));
    expect(await put(Bucket, "a", "4444")).toBe("null");
    expect(await listed(Bucket)).toEqual(lines("a null v4 *", `a ${two} v2`));

    const marker = (await remove(Bucket, "a")).VersionId ?? "";
    expect(await listed(Bucket)).toEqual(lines(`a ${marker} marker *`, `a ${two} v2`));
    await remove(Bucket, "a", marker);
    expect(await read(Bucket, "a")).toBe("22");
    expect((await put(Bucket, "b", "1")) && (await remove(Bucket, "b")).DeleteMarker).toBe(undefined);
    expect(await refusal(read(Bucket, "b", "null"))).toEqual(["NoSuchVersion", 404]);
  });
});
