import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { CairnClient } from "@cairn/client";
import { afterAll, beforeAll, expect, test } from "vitest";
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

async function lockedBucket(): Promise<string> {
  const Bucket = `locked-${++buckets}`;
  await sdk.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  return Bucket;
}

const inDays = (days: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + days * 86_400_000);
const Key = "report.pdf";

test("a version in compliance is told with its lock and removed by no door", async () => {
  const Bucket = await lockedBucket();
  const until = inDays(30);
  const lock = { ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate: until } as const;
  const { VersionId } = await sdk.send(new PutObjectCommand({ Bucket, Key, Body: "kept", ...lock }));
  const head = await sdk.send(new HeadObjectCommand({ Bucket, Key }));
  expect(head).toMatchObject({ ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate: until });
  const remove = (BypassGovernanceRetention?: boolean) =>
    sdk.send(new DeleteObjectCommand({ Bucket, Key, VersionId, BypassGovernanceRetention }));
  expect(await refusal(remove())).toEqual(["AccessDenied", 403]);
  expect(await refusal(remove(true))).toEqual(["AccessDenied", 403]);
  const { Errors } = await sdk.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key, VersionId }], Quiet: true } }),
  );
  expect(Errors?.map(({ Code }) => Code)).toEqual(["AccessDenied"]);
  // A delete marker hides it, and the trash that it is of other doors does not lose it.
  await sdk.send(new DeleteObjectCommand({ Bucket, Key }));
  await using drive = new CairnClient({ ...s3.cluster.profile, drive: Bucket });
  expect(await drive.emptyTrash()).toBe(0);
  const read = await sdk.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  expect(await read.Body?.transformToString()).toBe("kept");
});

test("governance is lifted with the header that says so, and a legal hold only when it is taken off", async () => {
  const Bucket = await lockedBucket();
  const { VersionId } = await sdk.send(new PutObjectCommand({ Bucket, Key, Body: "1" }));
  const address = { Bucket, Key, VersionId };
  expect(await refusal(sdk.send(new GetObjectRetentionCommand(address)))).toEqual([
    "NoSuchObjectLockConfiguration",
    404,
  ]);
  const governed = (days: number) => ({ Mode: "GOVERNANCE", RetainUntilDate: inDays(days) }) as const;
  await sdk.send(new PutObjectRetentionCommand({ ...address, Retention: governed(9) }));
  const shorter = { ...address, Retention: governed(2) };
  expect(await refusal(sdk.send(new PutObjectRetentionCommand(shorter)))).toEqual(["AccessDenied", 403]);
  await sdk.send(new PutObjectRetentionCommand({ ...shorter, BypassGovernanceRetention: true }));
  const { Retention } = await sdk.send(new GetObjectRetentionCommand(address));
  expect(Retention?.Mode).toBe("GOVERNANCE");
  await sdk.send(new PutObjectLegalHoldCommand({ ...address, LegalHold: { Status: "ON" } }));
  expect((await sdk.send(new GetObjectLegalHoldCommand(address))).LegalHold?.Status).toBe("ON");
  const remove = (BypassGovernanceRetention: boolean) =>
    sdk.send(new DeleteObjectCommand({ ...address, BypassGovernanceRetention }));
  expect(await refusal(remove(true))).toEqual(["AccessDenied", 403]);
  await sdk.send(new PutObjectLegalHoldCommand({ ...address, LegalHold: { Status: "OFF" } }));
  expect(await refusal(remove(false))).toEqual(["AccessDenied", 403]);
  await remove(true);
  expect(await refusal(sdk.send(new HeadObjectCommand(address)))).toEqual(["NotFound", 404]);
});

test("a bucket's default holds for what comes by other doors too", async () => {
  const Bucket = await lockedBucket();
  const configuration = {
    ObjectLockEnabled: "Enabled",
    Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 7 } },
  } as const;
  await sdk.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: configuration }));
  const told = await sdk.send(new GetObjectLockConfigurationCommand({ Bucket }));
  expect(told.ObjectLockConfiguration).toEqual(configuration);
  await using drive = new CairnClient({ ...s3.cluster.profile, drive: Bucket });
  await drive.upload({ bytes: Buffer.from("by REST") }, { name: Key });
  expect((await sdk.send(new HeadObjectCommand({ Bucket, Key }))).ObjectLockMode).toBe("GOVERNANCE");
});

test("S34 locks need a bucket that has them, a time to come and a checksum", async () => {
  const plain = `plain-${++buckets}`;
  await sdk.send(new CreateBucketCommand({ Bucket: plain }));
  const Bucket = await lockedBucket();
  const lock = { ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: inDays(1) } as const;
  const put = (to: string, more: object = {}, client = sdk) =>
    refusal(client.send(new PutObjectCommand({ Bucket: to, Key, Body: "x", ...lock, ...more })));
  expect(await put(plain)).toEqual(["InvalidRequest", 400]);
  expect(await put(Bucket, { ObjectLockRetainUntilDate: inDays(-1) })).toEqual(["InvalidArgument", 400]);
  expect(await put(Bucket, {}, s3.sdk({ requestChecksumCalculation: "WHEN_REQUIRED" }))).toEqual([
    "InvalidRequest",
    400,
  ]);
  const suspend = { Bucket, VersioningConfiguration: { Status: "Suspended" } } as const;
  expect(await refusal(sdk.send(new PutBucketVersioningCommand(suspend)))).toEqual(["InvalidBucketState", 409]);
  const enable = { Bucket: plain, ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" } } as const;
  expect(await refusal(sdk.send(new PutObjectLockConfigurationCommand(enable)))).toEqual(["InvalidBucketState", 409]);
});
