import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { createPresignedPost, type PresignedPostOptions } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MiB, seededBytes } from "../support/content.ts";
import { S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
const Bucket = "forms";

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  await sdk.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => s3[Symbol.asyncDispose]());

/** Sends what a browser sends of a form that the SDK has signed. */
async function submit(options: Omit<PresignedPostOptions, "Bucket">, file: File): Promise<Response> {
  const { url, fields } = await createPresignedPost(sdk, { Bucket, ...options });
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file);
  return await fetch(url, { method: "POST", body: form });
}

async function bytesOf(Key: string): Promise<Buffer> {
  const { Body } = await sdk.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

test("a form that the SDK has signed uploads a file of many chunks", async () => {
  const content = seededBytes("form", 20 * MiB + 7);
  const Key = `photos/${"$"}{filename}`;
  const answer = await submit({ Key, Fields: { success_action_status: "201" } }, new File([content], "ä b.jpg"));
  expect(answer.status).toBe(201);
  expect(await answer.text()).toContain("<Key>photos/ä b.jpg</Key>");
  expect((await bytesOf("photos/ä b.jpg")).equals(content)).toBe(true);
});

test("a form takes no larger file than its policy allows, and none after its end", async () => {
  const Conditions = [["content-length-range", 0, 10] as ["content-length-range", number, number]];
  const file = (text: string): File => new File([text], "a.txt");
  expect((await submit({ Key: "small", Conditions }, file("0123456789"))).status).toBe(204);
  const refused = await submit({ Key: "large", Conditions }, file("0123456789+"));
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining("<Code>EntityTooLarge</Code>")]);
  expect((await submit({ Key: "late", Expires: -5 }, file("x"))).status).toBe(403);
});

test("URLs that the SDK has signed read and write", async () => {
  const put = await getSignedUrl(sdk, new PutObjectCommand({ Bucket, Key: "by url" }), { expiresIn: 60 });
  expect((await fetch(put, { method: "PUT", body: "by URL" })).status).toBe(200);
  const get = await getSignedUrl(sdk, new GetObjectCommand({ Bucket, Key: "by url" }), { expiresIn: 60 });
  expect(await (await fetch(get)).text()).toBe("by URL");
  expect((await fetch(get, { method: "DELETE" })).status).toBe(403);
});
