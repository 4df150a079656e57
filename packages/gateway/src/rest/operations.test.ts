import { get } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestGateway } from "../testing/test-gateway.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start({ nodes: 3 });
});

afterAll(() => gateway[Symbol.asyncDispose]());

interface Claim {
  readonly name: string;
  readonly verdict: string;
  readonly evidence: string;
  readonly asOf: string;
}

test("health answers in order, and every claim says what it rests on and how old that is", async () => {
  expect((await gateway.put("health.txt", "some bytes")).status).toBe(200);
  const { status, json } = await gateway.call("/cluster/health", { token: gateway.tokens.read });
  expect(status).toBe(200);
  expect(json).toMatchObject({ safe: "yes", canLoseNodes: 1, jobs: [] });
  expect(json["freeBytes"]).toBeGreaterThan(0);
  const claims = json["claims"] as Claim[];
  expect(claims.map((claim) => claim.name)).toEqual([
    "redundancy",
    "nodes",
    "disks",
    "space",
    "repair",
    "scrub",
    "verified",
    "collection",
    "versions",
    "clock",
    "database",
    "leader",
  ]);
  for (const claim of claims) {
    expect(claim.evidence, claim.name).not.toBe("");
    expect(Date.parse(claim.asOf), claim.name).toBeLessThanOrEqual(Date.now());
  }
  const verdicts = Object.fromEntries(claims.map(({ name, verdict }) => [name, verdict]));
  expect(verdicts).toMatchObject({ redundancy: "good", nodes: "good", database: "good", leader: "good" });
  expect(claims.find(({ name }) => name === "database")?.evidence).toContain("synchronous=FULL");
});

test("settings are listed with their bounds and changed all or none", async () => {
  const list = await gateway.call("/settings");
  const delay = list.json.items.find(({ name }) => name === "repair.delay");
  expect(delay).toMatchObject({ value: 600_000, default: 600_000, unit: "ms", min: 0 });
  const refused = await gateway.call("/settings", {
    method: "PATCH",
    body: { "repair.delay": 1000, "no.such": 1 },
  });
  expect(refused.status).toBe(400);
  expect(refused.json["hint"]).toContain("repair.delay");
  const before = await gateway.call("/settings");
  expect(before.json.items.find(({ name }) => name === "repair.delay")).toMatchObject({ value: 600_000 });
  const changed = await gateway.call("/settings", { method: "PATCH", body: { "repair.delay": 2000 } });
  expect(changed.json.items.find(({ name }) => name === "repair.delay")).toMatchObject({ value: 2000 });
  for (const body of [{ "repair.delay": -1 }, { "repair.delay": 1.5 }, { "repair.delay": "2s" }, []])
    expect((await gateway.call("/settings", { method: "PATCH", body })).status).toBe(400);
});

test("events are read after a sequence number, from the end, and by severity", async () => {
  await gateway.call("/settings", { method: "PATCH", body: { "scrub.rate": 1000 } });
  const all = await gateway.call("/events?limit=1000");
  const last = all.json.items.at(-1) as { sequence: number; kind: string; at: string };
  expect(last).toMatchObject({ kind: "setting.changed", subject: "scrub.rate", severity: "info" });
  expect(Date.parse(last.at)).toBeGreaterThan(0);
  expect((await gateway.call("/events?after=-1")).json.items).toEqual([last]);
  expect((await gateway.call(`/events?after=${last.sequence}`)).json.items).toEqual([]);
  expect((await gateway.call("/events?severity=error")).json.items).toEqual([]);
  for (const query of ["limit=0", "limit=1001", "waitMs=99999", "severity=loud", "after=x"])
    expect((await gateway.call(`/events?${query}`)).status, query).toBe(400);
});

test("a caller who waits hears the next event as soon as it happens", async () => {
  const seen = (await gateway.call("/events?after=-1")).json.items[0]?.["sequence"] ?? 0;
  const waiting = gateway.call(`/events?after=${seen}&waitMs=20000`);
  await gateway.call("/settings", { method: "PATCH", body: { "scrub.rate": 2000 } });
  expect((await waiting).json.items).toMatchObject([{ kind: "setting.changed" }]);
});

test("a stream of events goes on where it broke off, and ends when the gateway stops", async () => {
  const other = await TestGateway.start();
  try {
    await other.call("/settings", { method: "PATCH", body: { "scrub.rate": 1000 } });
    const [first] = (await other.call("/events?after=-1")).json.items;
    const resumed = Number(first?.["sequence"]) - 1;
    const stream = follow(other, { "last-event-id": String(resumed) });
    await stream.until(/"subject":"scrub.rate"/);
    await other.call("/settings", { method: "PATCH", body: { "scrub.every": 3_600_000 } });
    await stream.until(/"subject":"scrub.every"/);
    expect(stream.text()).toMatch(/^retry: 3000\n\nid: \d+\ndata: \{.*\}\n\n/);
    expect(stream.headers()).toMatchObject({ "content-type": "text/event-stream", "x-accel-buffering": "no" });
    const startedAt = performance.now();
    await other.stopGateway();
    await stream.end;
    expect(performance.now() - startedAt).toBeLessThan(5000);
  } finally {
    await other[Symbol.asyncDispose]();
  }
});

test("changes are planned for readers, refused with their reasons, and never half done", async () => {
  const drives = await gateway.call("/drives");
  const drive = drives.json.items[0]?.["id"];
  const change = { kind: "change-copies", drive, copies: 4 };
  const plan = await gateway.call("/changes/plan", { method: "POST", body: change, token: gateway.tokens.read });
  expect(plan.status).toBe(200);
  expect(plan.json["refusals"]).toEqual(["4 copies need 4 nodes that take data, and there are 3."]);
  const refused = await gateway.call("/changes", { method: "POST", body: change });
  expect(refused.status).toBe(409);
  expect(refused.json).toMatchObject({ code: "conflict", details: { refusals: plan.json["refusals"] } });
  expect((await gateway.call("/jobs")).json).toMatchObject({ items: [], nextCursor: null });
  for (const body of [{ kind: "explode" }, { kind: "drain" }, { kind: "maintenance", node: "node-1" }, {}, undefined])
    expect((await gateway.call("/changes/plan", { method: "POST", body })).status).toBe(400);
  expect(
    (await gateway.call("/changes/plan", { method: "POST", body: { kind: "drain", node: "node-9" } })).status,
  ).toBe(404);
});

test("the impact of a node's loss is told, and of an unknown node that it is unknown", async () => {
  const { json } = await gateway.call("/nodes/node-1/impact");
  expect(json).toMatchObject({ duty: "active", health: "online", onlyCopyChunks: 0 });
  expect((await gateway.call("/nodes/node-77/impact")).status).toBe(404);
});

test("jobs that are not there are not found", async () => {
  expect((await gateway.call("/jobs/7")).status).toBe(404);
  expect((await gateway.call("/jobs/7", { method: "DELETE" })).status).toBe(404);
  expect((await gateway.call("/jobs/x")).status).toBe(400);
});

test("the description of the API has every one of these routes", async () => {
  const { json } = await gateway.raw("/api/v1/openapi.json").then((answer) => answer);
  const paths = Object.keys(json["paths"] as object);
  for (const path of ["/cluster/health", "/events", "/settings", "/jobs/{id}", "/changes/plan", "/collection/preview"])
    expect(paths).toContain(`/api/v1${path}`);
});

function follow(at: TestGateway, headers: Record<string, string>) {
  let text = "";
  let answered: Record<string, unknown> = {};
  let look = (): void => undefined;
  const end = new Promise<void>((resolve) => {
    const request = get(
      {
        port: at.port,
        path: "/api/v1/events?follow=true",
        headers: { ...headers, authorization: `Bearer ${at.tokens.read}` },
        agent: false,
      },
      (incoming) => {
        answered = incoming.headers;
        incoming.on("data", (part: Buffer) => {
          text += part.toString();
          look();
        });
        incoming.on("close", resolve);
        incoming.on("error", () => resolve());
      },
    );
    request.on("error", () => resolve());
  });
  return {
    text: () => text,
    headers: () => answered,
    end,
    until: (pattern: RegExp) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (pattern.test(text)) resolve();
        };
        look();
      }),
  };
}
