import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createGateway } from "../gateway.ts";
import { TestGateway } from "../testing/test-gateway.ts";
import type { RouteScope } from "./authentication.ts";

const expected: Readonly<Record<string, RouteScope>> = {
  "GET /api/v1/files": "read",
  "POST /api/v1/files": "write",
  "GET /api/v1/files/:id": "read",
  "PATCH /api/v1/files/:id": "write",
  "DELETE /api/v1/files/:id": "write",
  "GET /api/v1/files/:id/children": "read",
  "GET /api/v1/files/:id/chunks": "read",
  "GET /api/v1/files/:id/versions": "read",
  "GET /api/v1/files/:id/content": "read",
  "HEAD /api/v1/files/:id/content": "read",
  "PUT /api/v1/files/:id/content": "write",
  "PUT /api/v1/files/by-path/*": "write",
  "GET /api/v1/trash": "read",
  "POST /api/v1/trash/:id/restore": "write",
  "DELETE /api/v1/trash": "write",
  "GET /api/v1/cluster": "read",
  "GET /api/v1/nodes": "read",
  "POST /api/v1/nodes/join-tokens": "admin",
  "GET /api/v1/nodes/:id/impact": "read",
  "GET /api/v1/cluster/health": "read",
  "GET /api/v1/events": "read",
  "GET /api/v1/settings": "read",
  "PATCH /api/v1/settings": "admin",
  "GET /api/v1/jobs": "read",
  "GET /api/v1/jobs/:id": "read",
  "DELETE /api/v1/jobs/:id": "admin",
  "POST /api/v1/changes/plan": "read",
  "POST /api/v1/changes": "admin",
  "GET /api/v1/repair": "read",
  "POST /api/v1/repair/pause": "admin",
  "POST /api/v1/repair/resume": "admin",
  "GET /api/v1/scrub": "read",
  "POST /api/v1/scrub": "admin",
  "GET /api/v1/collection": "read",
  "POST /api/v1/collection": "admin",
  "GET /api/v1/collection/preview": "read",
  "POST /api/v1/collection/resume": "admin",
  "GET /api/v1/drives": "read",
  "GET /api/v1/s3/keys": "admin",
  "POST /api/v1/s3/keys": "admin",
  "DELETE /api/v1/s3/keys/:key": "admin",
  "GET /api/v1/s3/webhooks": "admin",
  "POST /api/v1/s3/webhooks": "admin",
  "DELETE /api/v1/s3/webhooks/:name": "admin",
  "GET /api/v1/tokens": "admin",
  "POST /api/v1/tokens": "admin",
  "DELETE /api/v1/tokens/:token": "admin",
  "GET /api/v1/relay/:node/*": "read",
  "HEAD /api/v1/relay/:node/*": "read",
  "PUT /api/v1/relay/:node/*": "read",
  "POST /api/v1/relay/:node/*": "read",
  "GET /api/v1/version": "public",
  "GET /api/v1/openapi.json": "public",
  "GET /healthz": "public",
  "GET /readyz": "public",
  "GET /metrics": "admin",
};

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});

afterAll(() => gateway[Symbol.asyncDispose]());

function pathOf(url: string): string {
  return url
    .replace(":id", "f_00000000000000000000000000")
    .replace(":token", "tk_x")
    .replace(":node", "node-1")
    .replace("*", "x");
}

test("there are no routes but those of this table", async () => {
  const { env, metadata } = gateway;
  const app = await createGateway({
    env,
    metadata,
    operations: undefined as never,
    reader: undefined as never,
    writer: undefined as never,
    mounts: [],
    listen: { host: "127.0.0.1", port: 0 },
    version: "0",
    openMetrics: false,
  });
  await app.ready();
  const there = app.printRoutes({ commonPrefix: false });
  for (const key of Object.keys(expected)) {
    const [method = "", url = ""] = key.split(" ");
    expect(app.hasRoute({ method, url }), key).toBe(true);
  }
  const methods = [...there.matchAll(/\(([A-Z, ]+)\)/g)].flatMap(([, names = ""]) => names.split(", "));
  expect(methods.length, there).toBe(Object.keys(expected).length);
  await app.close();
});

test("a route without a scope does not start", async () => {
  const { installAuthentication } = await import("./authentication.ts");
  const { default: Fastify } = await import("fastify");
  const app = Fastify();
  installAuthentication(app, undefined as never, undefined as never);
  expect(() => app.get("/open", async () => "")).toThrow(/declares no scope/);
});

describe.each(Object.keys(expected))("%s", (key) => {
  const [method = "", url = ""] = key.split(" ");
  const scope = expected[key];
  const ask = (headers: Record<string, string>) => gateway.raw(pathOf(url), { method, headers });

  test("answers those who may, and nobody else", async () => {
    const { read, write, admin } = gateway.tokens;
    const bearers: [string, Record<string, string>, RouteScope | undefined][] = [
      ["nothing", {}, undefined],
      ["an unknown token", { authorization: "Bearer cairn_unknown" }, undefined],
      ["no token after the word", { authorization: "Bearer " }, undefined],
      ["another scheme", { authorization: `Basic ${admin}` }, undefined],
      ["a token in a cookie", { cookie: `token=${admin}` }, undefined],
      ["forged headers", { "x-forwarded-user": "admin", "x-user-id": "1", principal: "admin" }, undefined],
      ["read", { authorization: `Bearer ${read}` }, "read"],
      ["write", { authorization: `Bearer ${write}` }, "write"],
      ["admin", { authorization: `bearer ${admin}` }, "admin"],
      ["admin beside a chunk token", { authorization: "Bearer chunk", "x-cairn-token": `${admin}` }, "admin"],
    ];
    const order: (RouteScope | undefined)[] = [undefined, "read", "write", "admin"];
    for (const [who, headers, has] of bearers) {
      const { status } = await ask(headers);
      const may = scope === "public" || order.indexOf(has) >= order.indexOf(scope);
      const refusal = has === undefined ? 401 : 403;
      expect([who, may ? ![401, 403].includes(status) : status]).toEqual([who, may ? true : refusal]);
    }
  });
});

test("a token that was revoked or has ended opens nothing any more", async () => {
  const made = await gateway.call("/tokens", {
    method: "POST",
    body: { name: "short", scopes: ["read"], expiresInMs: 1 },
  });
  expect(made.status).toBe(201);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect((await gateway.call("/drives", { token: String(made.json["secret"]) })).status).toBe(401);
  const other = await gateway.call("/tokens", { method: "POST", body: { name: "other", scopes: ["read"] } });
  const token = String(other.json["secret"]);
  expect((await gateway.call("/drives", { token })).status).toBe(200);
  const { token: id } = other.json["token"] as { token: string };
  expect((await gateway.call(`/tokens/${id}`, { method: "DELETE" })).status).toBe(204);
  expect((await gateway.call("/drives", { token })).status).toBe(401);
  expect(JSON.stringify((await gateway.call("/tokens")).json)).not.toContain(token);
});

test("the data methods of SDKs need write where they change anything", async () => {
  const call = (method: string, token: string | undefined) =>
    gateway.raw(`/api/v1/data/${method}`, { method: "POST", body: [], token });
  expect((await call("commit", undefined)).status).toBe(401);
  expect((await call("commit", gateway.tokens.read)).status).toBe(403);
  expect([401, 403]).not.toContain((await call("commit", gateway.tokens.write)).status);
  expect([401, 403]).not.toContain((await call("planRead", gateway.tokens.read)).status);
});

test("an unknown route tells nobody anything, with or without a token", async () => {
  for (const token of [undefined, gateway.tokens.admin])
    expect((await gateway.raw("/api/v1/admin/secret", { token })).json).toMatchObject({
      status: 404,
      code: "not_found",
    });
});
