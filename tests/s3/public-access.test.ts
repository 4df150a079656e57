import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  GetBucketAclCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketAclCommand,
  PutBucketPolicyCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refusal, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
/** As a client that has no credentials. */
let nobody: S3Client;
const Bucket = "website";

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  nobody = s3.sdk({ signer: { sign: async (request) => request } });
  await sdk.send(new CreateBucketCommand({ Bucket }));
  await sdk.send(new PutObjectCommand({ Bucket, Key: "index.html", Body: "hello" }));
});
afterAll(() => s3[Symbol.asyncDispose]());

const read = async (client = nobody) => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "index.html" }));
  return await Body?.transformToString();
};

test("a policy lets in requests that nobody has signed, until it goes", async () => {
  expect(await refusal(read())).toEqual(["AccessDenied", 403]);
  const Resource = `arn:aws:s3:::${Bucket}/*`;
  const Statement = [{ Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource }];
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  await sdk.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  expect(await read()).toBe("hello");
  expect(await refusal(nobody.send(new ListObjectsV2Command({ Bucket })))).toEqual(["AccessDenied", 403]);
  expect((await sdk.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
  expect((await sdk.send(new GetBucketPolicyStatusCommand({ Bucket }))).PolicyStatus).toEqual({ IsPublic: true });
  const strange = Policy.replace("s3:GetObject", "s3:Everything");
  expect(await refusal(sdk.send(new PutBucketPolicyCommand({ Bucket, Policy: strange })))).toEqual([
    "MalformedPolicy",
    400,
  ]);
  await sdk.send(new DeleteBucketPolicyCommand({ Bucket }));
  expect(await refusal(read())).toEqual(["AccessDenied", 403]);
  expect(await refusal(sdk.send(new GetBucketPolicyCommand({ Bucket })))).toEqual(["NoSuchBucketPolicy", 404]);
});

test("the list public-read lets everybody read an object, or list a bucket, unless it is ignored", async () => {
  await sdk.send(new PutObjectAclCommand({ Bucket, Key: "index.html", ACL: "public-read" }));
  await sdk.send(new PutBucketAclCommand({ Bucket, ACL: "public-read" }));
  expect(await read()).toBe("hello");
  expect((await nobody.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(1);
  const everybody = "http://acs.amazonaws.com/groups/global/AllUsers";
  const object = await sdk.send(new GetObjectAclCommand({ Bucket, Key: "index.html" }));
  const bucket = await sdk.send(new GetBucketAclCommand({ Bucket }));
  for (const { Grants } of [object, bucket])
    expect(Grants?.map(({ Grantee, Permission }) => [Grantee?.URI, Permission])).toEqual([
      [undefined, "FULL_CONTROL"],
      [everybody, "READ"],
    ]);
  const PublicAccessBlockConfiguration = { IgnorePublicAcls: true };
  await sdk.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
  expect(await refusal(read())).toEqual(["AccessDenied", 403]);
  expect(await read(sdk)).toBe("hello");
});
