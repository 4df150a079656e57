import { afterAll, beforeAll, expect, test } from "vitest";
import { idOf, TestGateway } from "../testing/test-gateway.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});

afterAll(() => gateway[Symbol.asyncDispose]());

const post = (path: string, body: unknown, headers = {}) => gateway.call(path, { method: "POST", body, headers });
const patch = (path: string, body: unknown, headers = {}) => gateway.call(path, { method: "PATCH", body, headers });
const remove = (path: string, headers = {}) => gateway.call(path, { method: "DELETE", headers });

test("folders are made, listed, renamed, moved, deleted and restored", async () => {
  const photos = await post("/files", { path: "/photos/2026/summer", parents: true });
  expect(photos.json).toMatchObject({ kind: "folder", name: "summer", path: "/photos/2026/summer", size: 0 });
  expect(photos.json["createdAt"]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const id = idOf(photos);
  const inside = await post("/files", { parentId: id, name: "beach" });
  expect(inside.json["parentId"]).toBe(id);
  expect((await patch(`/files/${id}`, { name: "winter" })).json["path"]).toBe("/photos/2026/winter");
  const root = (await gateway.call("/files?path=/")).json["id"];
  expect((await patch(`/files/${id}`, { parentId: root })).json["path"]).toBe("/winter");
  expect((await gateway.call(`/files/${idOf(inside)}`)).json["path"]).toBe("/winter/beach");
  const trashed = await remove(`/files/${id}`);
  expect(trashed.json["trashedAt"]).toMatch(/Z$/);
  expect((await gateway.call("/files?path=/winter")).status).toBe(404);
  expect((await gateway.call("/trash")).json.items.map((it) => it["id"])).toEqual([id]);
  expect((await gateway.call(`/trash/${id}/restore`, { method: "POST" })).json["path"]).toBe("/winter");
});

test("a list is walked page by page, told its length once, and ends with null", async () => {
  const folder = idOf(await post("/files", { path: "/many" }));
  for (let number = 0; number < 7; number++) await post("/files", { path: `/many/f${number}` });
  const names: unknown[] = [];
  let cursor: unknown = "";
  for (let page = 0; cursor !== null; page++) {
    const { json } = await gateway.call(
      `/files/${folder}/children?pageSize=3${cursor === "" ? "" : `&cursor=${encodeURIComponent(String(cursor))}`}`,
    );
    expect(json["totalCount"]).toBe(page === 0 ? 7 : undefined);
    expect(json.items.length).toBeGreaterThan(0);
    names.push(...json.items.map(({ name }) => name));
    cursor = json["nextCursor"];
  }
  expect(names).toEqual(["f0", "f1", "f2", "f3", "f4", "f5", "f6"]);
  const newest = await gateway.call(`/files/${folder}/children?orderBy=modified&pageSize=1`);
  expect(newest.json.items[0]?.["name"]).toBe("f6");
});

test("an entry is found by path, by id, by the beginning of its id, and in any case", async () => {
  const id = idOf(await gateway.put("find/me.txt", "x"));
  for (const path of [
    `/files?path=/find/me.txt`,
    `/files?id=${id}`,
    `/files/${id}`,
    `/files/${id.toUpperCase()}`,
    `/files/${id.slice(0, -1)}`,
  ])
    expect((await gateway.call(path)).json["id"], path).toBe(id);
  expect((await gateway.call("/files/f_")).json).toMatchObject({ status: 409, code: "ambiguous_id" });
  expect((await gateway.call("/files")).status).toBe(400);
});

test("a change that is repeated with its key gets its first answer", async () => {
  const headers = { "idempotency-key": "k 1" };
  const first = await post("/files", { path: "/once" }, headers);
  expect((await post("/files", { path: "/once" }, headers)).json).toEqual(first.json);
  expect((await post("/files", { path: "/once" })).status).toBe(409);
  expect((await post("/files", { path: "/once" }, { "idempotency-key": "k 2" })).status).toBe(409);
  expect((await patch(`/files/${idOf(first)}`, { name: "x" }, headers)).status).toBe(409);
  expect((await post("/files", { path: "/l" }, { "idempotency-key": "x".repeat(256) })).status).toBe(400);

  const gone = { "idempotency-key": "k 3" };
  const removed = await remove(`/files/${idOf(first)}?permanent=true`, gone);
  expect(removed.json["id"]).toBe(idOf(first));
  expect((await remove(`/files/${idOf(first)}?permanent=true`, gone)).status).toBe(204);
  expect((await remove(`/files/${idOf(first)}?permanent=true`)).status).toBe(404);
  expect((await remove(`/files/${idOf(first)}?permanent=true`, { "idempotency-key": "k 4" })).status).toBe(404);
});

test("names that are taken are told with what has them; onConflict settles it", async () => {
  const one = idOf(await gateway.put("c/one.txt", "1"));
  const two = idOf(await gateway.put("c/two.txt", "2"));
  expect((await patch(`/files/${two}`, { name: "one.txt" })).json).toMatchObject({
    status: 409,
    code: "name_conflict",
    details: { existing: { id: one } },
    hint: expect.stringContaining("onConflict"),
  });
  expect((await patch(`/files/${two}?onConflict=rename`, { name: "one.txt" })).json["name"]).toMatch(/^one.+txt$/);
  expect((await patch(`/files/${two}?onConflict=replace`, { name: "one.txt" })).json["id"]).toBe(two);
  expect((await patch(`/files/${two}?onConflict=perhaps`, { name: "one.txt" })).json).toMatchObject({
    status: 400,
    errors: expect.arrayContaining([expect.objectContaining({ pointer: "/onConflict" })]),
  });
  const folder = idOf(await post("/files", { path: "/c/in/itself", parents: true }));
  const outer = (await gateway.call("/files?path=/c/in")).json["id"];
  expect((await patch(`/files/${outer}`, { parentId: folder })).status).toBe(400);
});

test("the trash is emptied by age", async () => {
  await remove("/trash");
  const id = idOf(await gateway.put("old.txt", "x"));
  await remove(`/files/${id}`);
  expect((await remove("/trash?olderThan=1d")).json["removed"]).toBe(0);
  expect((await remove("/trash?olderThan=2000-01-01T00:00:00Z")).json["removed"]).toBe(0);
  expect((await remove("/trash")).json["removed"]).toBe(1);
  expect((await gateway.call(`/files/${id}`)).status).toBe(404);
});

test("the chunks of a file are told with the nodes that hold them, page by page", async () => {
  const id = idOf(await gateway.put("chunks.bin", Buffer.alloc(300_000, 7)));
  const { json } = await gateway.call(`/files/${id}/chunks`);
  expect(json["totalCount"]).toBe(5);
  expect(json["nextCursor"]).toBe(null);
  expect(json.items.map(({ offset, length }) => [offset, length])).toEqual([
    [0, 65_536],
    [65_536, 65_536],
    [131_072, 65_536],
    [196_608, 65_536],
    [262_144, 37_856],
  ]);
  expect(json.items[0]?.["copies"]).toHaveLength(2);
  const rest = await gateway.call(`/files/${id}/chunks?cursor=196608`);
  expect(rest.json.items.map(({ index }) => index)).toEqual([3, 4]);
});

test("the cluster, its nodes, drives and join tokens are told", async () => {
  const cluster = (await gateway.call("/cluster")).json;
  expect(cluster).toMatchObject({ copies: 2, redundancy: { unreachable: 0 } });
  expect(cluster["startedAt"]).toMatch(/Z$/);
  expect((await gateway.call("/nodes")).json.items.map(({ health }) => health)).toEqual(["online", "online"]);
  expect((await gateway.call("/drives")).json.items[0]).toMatchObject({ name: "main", copies: 2 });
  const join = await post("/nodes/join-tokens", { expiresInMs: 3_600_000 });
  expect([join.status, join.json["expiresAt"]]).toEqual([201, expect.stringMatching(/Z$/)]);
  expect((await post("/nodes/join-tokens", { expiresInMs: 5 })).status).toBe(400);
  expect((await gateway.raw("/api/v1/version")).json).toEqual({ version: "0.0.0-test" });
});

test("the description of the API is OpenAPI 3.1, with every public route and its problems", async () => {
  const { json } = await gateway.raw("/api/v1/openapi.json");
  expect(json["openapi"]).toBe("3.1.0");
  const paths = json["paths"] as Record<
    string,
    Record<string, { summary?: string; responses: Record<string, unknown> }>
  >;
  expect(Object.keys(paths)).toContain("/api/v1/files/{id}/content");
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations)) {
      expect(operation.summary, `${method} ${path}`).toBeTruthy();
      expect(JSON.stringify(operation.responses["default"])).toContain("application/problem+json");
    }
});

test("liveness, readiness and measurements", async () => {
  expect((await gateway.raw("/healthz")).bytes.toString()).toBe("ok\n");
  expect((await gateway.raw("/readyz")).json).toEqual({ ready: true });
  const { bytes } = await gateway.raw("/metrics", { token: gateway.tokens.admin });
  expect(bytes.toString()).toMatch(
    /cairn_http_requests_total\{route="\/api\/v1\/files",method="POST",status="201"\} \d+/,
  );
});

test("a request for a node goes to the node that the cluster knows by that name, and nowhere else", async () => {
  const [node] = (await gateway.call("/nodes")).json.items;
  const chunk = "0".repeat(64);
  const missing = await gateway.call(`/relay/${node?.["node"]}/groups/1/chunks/${chunk}`, {
    token: "chunk token that is none",
    headers: { "x-cairn-token": String(gateway.tokens.read) },
  });
  expect(missing.status).toBe(401);
  expect(missing.json).toHaveProperty("error");
  const asUser = { headers: { "x-cairn-token": String(gateway.tokens.admin) } };
  for (const path of [
    "/relay/node-99/chunks",
    "/relay/127.0.0.1:1/chunks",
    `/relay/${node?.["node"]}/identity`,
    `/relay/${node?.["node"]}/chunks/delete`,
    `/relay/${node?.["node"]}/..%2f..%2fx`,
  ])
    expect((await gateway.call(path, asUser)).status, path).toBe(404);
});
