import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketLifecycleCommand,
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/processes.ts";
import { refusal, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
const Bucket = "aging";
const day = 86_400_000;

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  await sdk.send(new CreateBucketCommand({ Bucket }));
  await sdk.send(new CreateBucketCommand({ Bucket: "kept" }));
});
afterAll(() => s3[Symbol.asyncDispose]());

async function setRules(...Rules: readonly LifecycleRule[]): Promise<void> {
  const LifecycleConfiguration = { Rules: [...Rules] };
  await sdk.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }));
}

const keys = async (): Promise<(string | undefined)[]> =>
  ((await sdk.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key);

test("rules come back as they went, and each has a name", async () => {
  const get = () => sdk.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  expect(await refusal(get())).toEqual(["NoSuchLifecycleConfiguration", 404]);
  const rules: LifecycleRule[] = [
    { ID: "tmp", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 1 } },
    {
      ...{ ID: "old", Status: "Disabled", Expiration: { Date: new Date(Date.UTC(2030, 0, 1)) } },
      Filter: { And: { Prefix: "a", Tags: [{ Key: "k", Value: "v" }], ObjectSizeGreaterThan: 10 } },
    },
    {
      ...{ ID: "parts", Status: "Enabled", Filter: { Prefix: "" } },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
    },
    { ID: "markers", Status: "Enabled", Filter: { Prefix: "" }, Expiration: { ExpiredObjectDeleteMarker: true } },
  ];
  await setRules(...rules);
  expect((await get()).Rules).toEqual(rules);
  for (const [wrong, code] of [
    [{ Status: "Enabled", Filter: { Prefix: "" } }, "InvalidRequest"],
    [{ Status: "Enabled", Filter: { Prefix: "" }, Expiration: { Days: 0 } }, "InvalidArgument"],
    [
      { Status: "Enabled", Filter: { Prefix: "" }, Transitions: [{ Days: 1, StorageClass: "GLACIER" }] },
      "NotImplemented",
    ],
  ] as [LifecycleRule, string][]) {
    expect((await refusal(setRules(wrong)))[0]).toBe(code);
  }
  expect((await get()).Rules).toEqual(rules);
  await setRules({ Status: "Enabled", Filter: { Prefix: "x/" }, Expiration: { Days: 1 } });
  expect((await get()).Rules?.[0]?.ID).toMatch(/^[\w-]{24}$/);
  await sdk.send(new DeleteBucketLifecycleCommand({ Bucket }));
  expect((await refusal(get()))[0]).toBe("NoSuchLifecycleConfiguration");
});

test("an object says when it will go and by which rule, until it is gone", async () => {
  await setRules({ ID: "soon & sure", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 2 } });
  const put = await sdk.send(new PutObjectCommand({ Bucket, Key: "tmp/a", Body: "1" }));
  const [, date = "", rule = ""] = /^expiry-date="(.*)", rule-id="(.*)"$/.exec(put.Expiration ?? "") ?? [];
  expect(decodeURIComponent(rule)).toBe("soon & sure");
  expect(Date.parse(date) % day).toBe(0);
  const left = Date.parse(date) - Date.now();
  expect(left > 2 * day - 60_000 && left <= 3 * day).toBe(true);
  expect((await sdk.send(new HeadObjectCommand({ Bucket, Key: "tmp/a" }))).Expiration).toBe(put.Expiration);
  expect((await sdk.send(new GetObjectCommand({ Bucket, Key: "tmp/a" }))).Expiration).toBe(put.Expiration);
  expect((await sdk.send(new PutObjectCommand({ Bucket, Key: "kept", Body: "1" }))).Expiration).toBeUndefined();
});

test("rules for other storage classes are refused", async () => {
  const NoncurrentVersionTransitions = [{ NoncurrentDays: 1, StorageClass: "GLACIER" as const }];
  const rule = { Status: "Enabled" as const, Filter: { Prefix: "" }, NoncurrentVersionTransitions };
  expect((await refusal(setRules(rule)))[0]).toBe("NotImplemented");
});

test("with a day of a second objects and uploads go by themselves, and the jobs tell of it", async () => {
  await sdk.send(new PutObjectCommand({ Bucket, Key: "tmp/tagged", Body: "1", Tagging: "stay=yes" }));
  await sdk.send(new CreateMultipartUploadCommand({ Bucket, Key: "tmp/parts" }));
  await sdk.send(new PutBucketVersioningCommand({ Bucket: "kept", VersioningConfiguration: { Status: "Enabled" } }));
  for (const Body of ["1", "2", "3"]) await sdk.send(new PutObjectCommand({ Bucket: "kept", Key: "a", Body }));
  await sdk.send(new PutObjectCommand({ Bucket: "kept", Key: "gone", Body: "1" }));
  await sdk.send(new DeleteObjectCommand({ Bucket: "kept", Key: "gone" }));
  await setRules(
    { ID: "no tag", Status: "Enabled", Filter: { Tag: { Key: "stay", Value: "no" } }, Expiration: { Days: 1 } },
    { ID: "a", Status: "Enabled", Filter: { Prefix: "tmp/a" }, Expiration: { Days: 2 } },
    {
      ...{ ID: "parts", Status: "Enabled", Filter: { Prefix: "tmp/" } },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    },
  );
  const days = { Status: "Enabled" as const, NoncurrentVersionExpiration: { NoncurrentDays: 1 } };
  const Rules = [
    { ...days, ID: "gone", Filter: { Prefix: "g" } },
    {
      ...{ ...days, ID: "old", Filter: { Prefix: "" } },
      NoncurrentVersionExpiration: { NoncurrentDays: 1, NewerNoncurrentVersions: 1 },
    },
  ];
  await sdk.send(new PutBucketLifecycleConfigurationCommand({ Bucket: "kept", LifecycleConfiguration: { Rules } }));
  await s3.client.operations.changeSettings({ "lifecycle.day": 1000 });
  await until("the object expires", async () => !(await keys()).includes("tmp/a"));
  await until("the upload is given up", async () => {
    return ((await sdk.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []).length === 0;
  });
  expect(await keys()).toEqual(["kept", "tmp/tagged"]);
  await until("the oldest version goes, and the marker with what it hides", async () => {
    const { Versions = [], DeleteMarkers = [] } = await sdk.send(new ListObjectVersionsCommand({ Bucket: "kept" }));
    return Versions.map(({ Key }) => Key).join() === "a,a" && DeleteMarkers.length === 0;
  });
  await until("the jobs tell of both", async () => {
    const { items } = await s3.client.operations.jobs();
    const told = items.filter(({ kind, subject }) => kind === "lifecycle" && subject === Bucket);
    return told.reduce((sum, { doneItems }) => sum + doneItems, 0) === 2;
  });
});
