import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  type Event,
  GetBucketNotificationConfigurationCommand,
  type NotificationConfiguration,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MiB, seededBytes } from "../support/content.ts";
import { until } from "../support/processes.ts";
import { refusal, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
let receiver: Server;
let status = 200;
const told: { readonly event: string; readonly key: string; readonly size: number | undefined }[] = [];
const Bucket = "events";

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { Records } = JSON.parse(Buffer.concat(pieces).toString());
    for (const { eventName, s3: of } of status === 200 ? Records : [])
      told.push({ event: eventName, key: of.object.key, size: of.object.size });
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  await sdk.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  await s3[Symbol.asyncDispose]();
  await new Promise((resolve) => receiver.close(resolve));
});

const url = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/events`;
const configure = (configuration: NotificationConfiguration) =>
  sdk.send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration: configuration }));
const created: Event[] = ["s3:ObjectCreated:*"];

test("A66: only webhooks that an operator has added can be told, and only of what is told", async () => {
  for (const QueueArn of ["arn:cairn:webhook:::index", "http://169.254.169.254/", "arn:aws:sqs:us-east-1:1:q"]) {
    expect(await refusal(configure({ QueueConfigurations: [{ QueueArn, Events: created }] }))).toEqual([
      ...["InvalidArgument", 400],
    ]);
  }
  expect(await s3.client.webhooks.put("index", url())).toBe("arn:cairn:webhook:::index");
  expect((await s3.client.webhooks.list()).map(({ name, waiting }) => [name, waiting])).toEqual([["index", 0]]);
  const QueueArn = "arn:cairn:webhook:::index";
  const tagging = { QueueConfigurations: [{ QueueArn, Events: ["s3:ObjectTagging:*" as const] }] };
  expect(await refusal(configure(tagging))).toEqual(["NotImplemented", 501]);
  expect(await refusal(configure({ EventBridgeConfiguration: {} }))).toEqual(["NotImplemented", 501]);
});

test("objects that come and go are told of, in their order", async () => {
  const configuration: NotificationConfiguration = {
    QueueConfigurations: [{ Id: "created", QueueArn: "arn:cairn:webhook:::index", Events: created }],
    TopicConfigurations: [
      {
        ...{ Id: "gone", TopicArn: "arn:cairn:webhook:::index", Events: ["s3:ObjectRemoved:*"] },
        Filter: { Key: { FilterRules: [{ Name: "prefix", Value: "a" }] } },
      },
    ],
  };
  await configure(configuration);
  expect(await sdk.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).toMatchObject(configuration);
  await sdk.send(new PutObjectCommand({ Bucket, Key: "a b", Body: "1" }));
  await sdk.send(new CopyObjectCommand({ Bucket, Key: "b", CopySource: `${Bucket}/a%20b` }));
  await new Upload({ client: sdk, params: { Bucket, Key: "parts", Body: seededBytes("notified", 6 * MiB) } }).done();
  await sdk.send(new DeleteObjectCommand({ Bucket, Key: "b" }));
  await sdk.send(new DeleteObjectCommand({ Bucket, Key: "a b" }));
  await until("all is told", () => told.length >= 4);
  expect(told).toEqual([
    { event: "ObjectCreated:Put", key: "a+b", size: 1 },
    { event: "ObjectCreated:Copy", key: "b", size: 1 },
    { event: "ObjectCreated:CompleteMultipartUpload", key: "parts", size: 6 * MiB },
    { event: "ObjectRemoved:Delete", key: "a+b", size: undefined },
  ]);
});

test("what could not be posted waits, outlives the server, and comes when it can", async () => {
  status = 503;
  told.length = 0;
  await sdk.send(new PutObjectCommand({ Bucket, Key: "late", Body: "1" }));
  await until("it was tried", async () => {
    const events = await s3.client.operations.events({ after: 0, severity: "warning" });
    return events.some(({ kind }) => kind === "webhook.failing");
  });
  await s3.cluster.kill("metadata");
  await s3.cluster.revive("metadata");
  await until("the server is back", async () => {
    const webhooks = await s3.client.webhooks.list().catch(() => []);
    return webhooks[0]?.waiting === 1;
  });
  status = 200;
  await until("it comes", () => told.length > 0);
  expect(told.map(({ key }) => key)).toEqual(["late"]);
});

test("an empty configuration switches notifications off, and then the webhook may go", async () => {
  await expect(s3.client.webhooks.remove("index")).rejects.toMatchObject({ kind: "conflict" });
  await configure({});
  const { QueueConfigurations } = await sdk.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  expect(QueueConfigurations).toBeUndefined();
  await s3.client.webhooks.remove("index");
  expect(await s3.client.webhooks.list()).toEqual([]);
});
