import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { IncomingReply, Network, OutgoingRequest } from "@cairn/env";
import { NodeHasher, NodeNetwork } from "@cairn/env-node";
import {
  type BucketNotification,
  type DriveId,
  type NotificationRule,
  notificationDocument,
  StorageError,
  targetOfWebhook,
} from "@cairn/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { AccessKeys } from "../objects/access-keys.ts";
import { Objects } from "../objects/objects.ts";
import { failureOf } from "../service/testing/test-cluster.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { Deliveries } from "./deliveries.ts";

interface Told {
  readonly eventName: string;
  readonly eventTime: string;
  readonly s3: {
    readonly configurationId: string;
    readonly bucket: { readonly name: string };
    readonly object: {
      readonly key: string;
      readonly size?: number;
      readonly eTag?: string;
      readonly sequencer: string;
    };
  };
}

/** Takes posts, or does not. */
class Receivers implements Pick<Network, "request"> {
  readonly posts: { readonly url: string; readonly records: readonly Told[] }[] = [];
  status: (url: string) => number = () => 200;

  async request({ url, body = [] }: OutgoingRequest): Promise<IncomingReply> {
    const status = this.status(url);
    if (status === 0) throw new StorageError("unavailable", "request", url);
    if (status < 300) this.posts.push({ url, records: JSON.parse(Buffer.concat(body).toString()).Records });
    return { status, headers: {}, body: new Uint8Array(0) };
  }

  keys(url?: string): string[] {
    const posts = this.posts.filter((post) => url === undefined || post.url === url);
    return posts.flatMap(({ records }) => records.map((record) => `${record.eventName} ${record.s3.object.key}`));
  }
}

let metadata: TestMetadata;
let objects: Objects;
let receivers: Receivers;
let deliveries: Deliveries;
let drive: DriveId;
const url = "https://index.example.org/events";

function open(): Deliveries {
  const { store, cluster } = metadata;
  return new Deliveries({
    store,
    core: cluster.core,
    env: {
      network: {
        ...receivers,
        request: (it) => receivers.request(it),
        serve: () => Promise.reject(new Error("unused")),
      },
    },
  });
}

beforeEach(async () => {
  metadata = await TestMetadata.open();
  const { database, clock, random } = metadata.store;
  const keys = { cluster: "c0".repeat(16), tokenKey: new Uint8Array(32).fill(7) };
  const world = { database, clock, random, hasher: new NodeHasher(), keys };
  objects = new Objects(metadata.store, { uploads: metadata.uploads, keys: new AccessKeys(world) });
  drive = metadata.drive.id;
  await objects.setVersioning(drive, "off");
  await objects.putWebhook({ name: "index", url });
  receivers = new Receivers();
  deliveries = open();
});

const rule = (given: Partial<NotificationRule>): NotificationRule => ({
  ...{
    kind: "queue",
    id: "all",
    target: targetOfWebhook("index"),
    events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
  },
  ...given,
});

function setRules(...rules: readonly NotificationRule[]): Promise<void> {
  const kept: BucketNotification = { region: "us-east-1", rules };
  return objects.setBucketDocument(drive, notificationDocument, JSON.stringify(kept));
}

const put = (key: string, content = 1) => metadata.file("", [content], { key, attributes: { tag: "aa" } });
const remove = (key: string) => objects.removeObjects(metadata.commitId(), drive, [{ key }]);

/** A look, and the posts that it sets going. */
async function deliver(): Promise<void> {
  await deliveries.look();
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
}

const waiting = async (): Promise<number | undefined> => (await objects.webhooks())[0]?.waiting;

test("what happens to objects is told in its order, in the records of S3", async () => {
  await put("before");
  await setRules(rule({}));
  await put("a b/ü+");
  await put("x", 2);
  await remove("x");
  await remove("nothing");
  await deliver();
  expect(receivers.keys()).toEqual([
    "ObjectCreated:Put a+b/%C3%BC%2B",
    "ObjectCreated:Put x",
    "ObjectRemoved:Delete x",
  ]);
  const [first, second] = receivers.posts.flatMap(({ records }) => records);
  expect(first).toMatchObject({
    ...{ eventVersion: "2.1", eventSource: "aws:s3", awsRegion: "us-east-1" },
    eventTime: new Date(metadata.cluster.clock.now()).toISOString(),
    s3: {
      ...{ s3SchemaVersion: "1.0", configurationId: "all", bucket: { name: "main", arn: "arn:aws:s3:::main" } },
      object: { size: metadata.lengthOf(1), eTag: "aa" },
    },
  });
  expect((first?.s3.object.sequencer ?? "") < (second?.s3.object.sequencer ?? "")).toBe(true);
  expect(await waiting()).toBe(0);
  await deliver();
  expect(receivers.posts).toHaveLength(1);
});

test("only what a rule names is told: its events, and keys that begin and end so", async () => {
  await setRules(
    rule({ events: ["s3:ObjectCreated:Copy", "s3:ObjectRemoved:Delete"] }),
    rule({ id: "images", events: ["s3:ObjectCreated:Put"], prefix: "img/", suffix: ".png" }),
  );
  await put("img/a.png");
  await put("img/a.jpg");
  await metadata.file("", [1], { key: "copy", cause: "copy" });
  await remove("img/a.jpg");
  await deliver();
  expect(receivers.keys()).toEqual([
    "ObjectCreated:Put img/a.png",
    "ObjectCreated:Copy copy",
    "ObjectRemoved:Delete img/a.jpg",
  ]);
});

test("files that come and go another way are told of too", async () => {
  await setRules(rule({}));
  await metadata.folder("/docs");
  const { id: parent } = await metadata.namespace.stat({ drive, path: "/docs" });
  const file = await metadata.file("plan.txt", [1], { parent });
  await metadata.namespace.trash(metadata.commitId(), file.id);
  const other = await metadata.file("other.txt", [2], { parent });
  await metadata.namespace.remove(metadata.commitId(), other.id);
  await metadata.namespace.remove(metadata.commitId(), file.id);
  await deliver();
  expect(receivers.keys()).toEqual([
    ...["ObjectCreated:Put docs/plan.txt", "ObjectRemoved:Delete docs/plan.txt"],
    ...["ObjectCreated:Put docs/other.txt", "ObjectRemoved:Delete docs/other.txt"],
  ]);
});

test("in a bucket that keeps versions a removal says that the object can come back", async () => {
  await objects.setVersioning(drive, "enabled");
  await setRules(rule({}));
  const { version } = await put("a");
  await remove("a");
  await deliver();
  expect(receivers.keys()).toEqual(["ObjectCreated:Put a", "ObjectRemoved:DeleteMarkerCreated a"]);
  expect(receivers.posts[0]?.records[0]).toMatchObject({ s3: { object: { versionId: version } } });
});

test("a change that is undone is not told of", async () => {
  await setRules(rule({}));
  await put("a");
  const undone = [{ key: "b" }, { key: "a" }];
  // The second of two in one transaction fails after the first has written.
  const { queue } = metadata.store;
  await Promise.allSettled([
    objects.removeObjects(metadata.commitId(), drive, undone),
    queue.submit(async (tx) => {
      await tx.run("UPDATE drive SET name = name");
      throw new Error("undone");
    }),
  ]);
  await deliver();
  expect(receivers.keys()).toEqual(["ObjectCreated:Put a", "ObjectRemoved:Delete a"]);
});

describe("a webhook that does not take events", () => {
  test.each([0, 404, 500, 301])("(status %i) gets them again, in their order, later and later", async (status) => {
    await setRules(rule({}));
    receivers.status = () => status;
    await put("a");
    await put("b");
    await deliver();
    await deliver();
    expect(await waiting()).toBe(2);
    const { core } = metadata.cluster;
    const failing = (await core.events.after(0, { limit: 100 })).filter(({ kind }) => kind.startsWith("webhook."));
    expect(failing.map(({ kind, subject }) => [kind, subject])).toEqual([["webhook.failing", "index"]]);
    receivers.status = () => 200;
    await deliver();
    expect(receivers.posts).toEqual([]);
    await metadata.cluster.clock.advance(1000);
    await deliver();
    expect(receivers.keys()).toEqual(["ObjectCreated:Put a", "ObjectCreated:Put b"]);
    expect((await core.events.after(0, { limit: 100 })).at(-1)?.kind).toBe("webhook.recovered");
  });

  test("holds up no other one", async () => {
    await objects.putWebhook({ name: "down", url: "http://down.example.org/" });
    await setRules(rule({}), rule({ target: targetOfWebhook("down") }));
    receivers.status = (to) => (to === url ? 200 : 0);
    await put("a");
    await deliver();
    expect(receivers.keys(url)).toEqual(["ObjectCreated:Put a"]);
    expect((await objects.webhooks()).map(({ name, waiting: left }) => [name, left])).toEqual([
      ["down", 1],
      ["index", 0],
    ]);
  });

  test("gets nothing that is older than a week, and that is told", async () => {
    await setRules(rule({}));
    receivers.status = () => 500;
    await put("a");
    await deliver();
    await metadata.cluster.clock.advance(8 * 86_400_000);
    receivers.status = () => 200;
    await deliver();
    expect(receivers.posts).toEqual([]);
    expect(await waiting()).toBe(0);
    const [dropped] = (await metadata.cluster.core.events.after(0, { limit: 100 })).slice(-1);
    expect([dropped?.kind, dropped?.severity]).toEqual(["webhook.dropped", "error"]);
  });
});

test("A67: redirects are not followed, and of an answer without end little is read", async () => {
  const [asked, ended]: [string[], string[]] = [[], []];
  let taken = 0;
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.on("close", () => ended.push(request.url ?? ""));
    if (request.url === "/away") return void response.writeHead(302, { location: "/inside" }).end();
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536))) taken += 65_536;
    };
    response.on("drain", more);
    more();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using network = new NodeNetwork();
  const { store, cluster } = metadata;
  const posting = new Deliveries({ store, core: cluster.core, env: { network } });
  await setRules(rule({}));
  await put("a");
  for (const path of ["/away", "/endless"]) {
    await objects.putWebhook({
      name: "index",
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    });
    while (!ended.includes(path)) {
      await cluster.clock.advance(1000);
      await posting.look();
      await new Promise(setImmediate);
    }
  }
  await posting[Symbol.asyncDispose]();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(new Set(asked)).toEqual(new Set(["/away", "/endless"]));
  expect(taken).toBeLessThan(64 * 1024 * 1024);
  expect(await waiting()).toBe(1);
});

test("after a restart what was not posted is posted, many events in several posts", async () => {
  await setRules(rule({}));
  receivers.status = () => 500;
  for (let n = 0; n < 150; n++) await put(`k${n}`);
  await deliver();
  await deliveries[Symbol.asyncDispose]();
  receivers.status = () => 200;
  deliveries = open();
  await deliver();
  await deliver();
  expect(receivers.keys()).toEqual(Array.from({ length: 150 }, (_, n) => `ObjectCreated:Put k${n}`));
  expect(receivers.posts.map(({ records }) => records.length)).toEqual([64, 64, 22]);
});

test("webhooks are checked, get another address, and stay while a bucket names them", async () => {
  for (const [name, address] of [
    ["Upper", url],
    ["", url],
    ["x", "file:///etc/passwd"],
    ["x", "http://user:pass@host/"],
    ["x", "http://"],
    ["x", "https://host/ path"],
  ] as const) {
    expect((await failureOf(objects.putWebhook({ name, url: address }))).kind).toBe("invalid");
  }
  await setRules(rule({}));
  expect((await failureOf(objects.removeWebhook("index"))).message).toContain("main");
  await objects.putWebhook({ name: "index", url: "http://elsewhere.example.org" });
  await put("a");
  await deliver();
  expect(receivers.posts.map((post) => post.url)).toEqual(["http://elsewhere.example.org"]);
  await setRules();
  await put("b");
  await objects.removeWebhook("index");
  expect(await objects.webhooks()).toEqual([]);
  expect((await failureOf(objects.removeWebhook("index"))).kind).toBe("not-found");
  // Rules that name a webhook which is gone leave nothing behind.
  await setRules(rule({}));
  await put("c");
  const rows = await metadata.store.database.read((sql) => sql.all("SELECT * FROM notification"));
  expect(rows).toEqual([]);
});
