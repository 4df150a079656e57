import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CairnCommand } from "../cli/cairn-command.ts";
import { MiB, seededBytes } from "../support/content.ts";
import { refusal, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
let cairn: CairnCommand;
const Bucket = "main";

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  cairn = new CairnCommand(join(s3.cluster.data, "home"), s3.cluster.data);
});
afterAll(() => s3[Symbol.asyncDispose]());

/** The JSON or the bytes that REST answers; throws unless it is a success. */
async function rest(path: string, method: "GET" | "POST" = "GET"): Promise<Buffer> {
  const { url, token } = s3.cluster.profile;
  const headers = {
    authorization: `Bearer ${token}`,
    ...(method === "POST" ? { "content-type": "application/json" } : {}),
  };
  const body = method === "POST" ? "{}" : undefined;
  const reply = await fetch(`${url}/api/v1${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`);
  return Buffer.from(await reply.arrayBuffer());
}

async function restJson(path: string, method: "GET" | "POST" = "GET"): Promise<{ items: Record<string, unknown>[] }> {
  return JSON.parse((await rest(path, method)).toString()) as { items: Record<string, unknown>[] };
}

async function keys(Prefix: string): Promise<(string | undefined)[]> {
  return ((await sdk.send(new ListObjectsV2Command({ Bucket, Prefix }))).Contents ?? []).map(({ Key }) => Key);
}

test("what S3 writes is listed, read, mapped, versioned and restored by the command line and REST", async () => {
  const Key = "from-s3/film.mov";
  const [first, second] = [seededBytes("first", 3 * MiB + 1), seededBytes("second", 2 * MiB)];
  await sdk.send(new PutObjectCommand({ Bucket, Key, Body: first }));
  expect(await cairn.ok(["list", "/from-s3"])).toContain("film.mov");
  const { id } = await s3.client.stat(`/${Key}`);
  expect((await rest(`/files/${id}/content`)).equals(first)).toBe(true);
  const map = await cairn.jsonLines(["file", "map", `/${Key}`]);
  const chunks = map.filter((line) => Array.isArray(line["copies"]));
  expect(chunks.map(({ length }) => length).reduce((sum: number, length) => sum + Number(length), 0)).toBe(
    first.length,
  );
  for (const { copies } of chunks)
    expect((copies as { state: string }[]).map(({ state }) => state)).toEqual(["ok", "ok"]);

  await sdk.send(new PutObjectCommand({ Bucket, Key, Body: second }));
  const versions = await restJson(`/files/${id}/versions`);
  expect(versions.items.map(({ size }) => size)).toEqual([second.length, first.length]);
  const info = (await cairn.json(["info", `/${Key}`, "--versions"])) as { versions: unknown[] };
  expect(info.versions.length).toBe(2);
  expect((await rest(`/files/${id}/content?version=${versions.items[1]?.["version"]}`)).equals(first)).toBe(true);

  await sdk.send(new DeleteObjectCommand({ Bucket, Key }));
  expect(await cairn.ok(["trash", "list", "-q"])).toContain(id);
  await cairn.ok(["restore", id]);
  expect((await s3.bytesOf({ Bucket, Key })).equals(second)).toBe(true);
  await sdk.send(new DeleteObjectCommand({ Bucket, Key }));
  await restJson(`/trash/${id}/restore`, "POST");
  expect((await s3.bytesOf({ Bucket, Key })).equals(second)).toBe(true);
});

test("what the command line and REST write is read, listed, copied, tagged and deleted by S3", async () => {
  const [first, second] = [seededBytes("cli", 2 * MiB + 5), seededBytes("cli again", MiB)];
  writeFileSync(cairn.path("report.pdf"), first);
  const id = (await cairn.ok(["upload", "report.pdf", "--to", "/from-cli", "-q"])).trim();
  const Key = "from-cli/report.pdf";
  expect(await keys("from-cli/")).toEqual([Key]);
  expect((await s3.bytesOf({ Bucket, Key })).equals(first)).toBe(true);

  writeFileSync(cairn.path("report.pdf"), second);
  await cairn.ok(["upload", "report.pdf", "--to", "/from-cli"]);
  const { Versions = [] } = await sdk.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }));
  expect(Versions.map(({ Size, IsLatest }) => [Size, IsLatest])).toEqual([
    [second.length, true],
    [first.length, false],
  ]);

  await sdk.send(new CopyObjectCommand({ Bucket, Key: "from-cli/copy.pdf", CopySource: `${Bucket}/${Key}` }));
  await cairn.ok(["download", "/from-cli/copy.pdf", "--output", "./copy.pdf"]);
  expect((await rest(`/files/${(await s3.client.stat("/from-cli/copy.pdf")).id}/content`)).equals(second)).toBe(true);

  const TagSet = [{ Key: "for", Value: "tax" }];
  await sdk.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }));
  await cairn.ok(["move", "/from-cli/report.pdf", "/from-cli/moved.pdf"]);
  const moved = { Bucket, Key: "from-cli/moved.pdf" };
  expect((await sdk.send(new GetObjectTaggingCommand(moved))).TagSet).toEqual(TagSet);
  expect(await keys("from-cli/")).toEqual(["from-cli/copy.pdf", "from-cli/moved.pdf"]);

  await sdk.send(new DeleteObjectCommand(moved));
  expect(await cairn.ok(["trash", "list", "-q"])).toContain(id);
  await cairn.ok(["restore", id]);
  expect((await s3.bytesOf(moved)).equals(second)).toBe(true);
  await cairn.ok(["delete", id]);
  expect((await refusal(sdk.send(new HeadObjectCommand(moved))))[1]).toBe(404);
});
