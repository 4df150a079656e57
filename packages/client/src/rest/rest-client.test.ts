import type { IncomingRequest, Listener } from "@cairn/env";
import { nodeEnv } from "@cairn/env-node";
import { type StorageError, utf8 } from "@cairn/protocol";
import { afterAll, afterEach, expect, test } from "vitest";
import { GatewayNetwork } from "../gateway-network.ts";
import { RestClient } from "./rest-client.ts";

const env = nodeEnv({ name: "test", level: "silent" });
let listener: Listener | undefined;

afterEach(async () => {
  await listener?.[Symbol.asyncDispose]();
  listener = undefined;
});
afterAll(() => env[Symbol.asyncDispose]());

/** A server that gives one answer after the other, and keeps what it was asked. */
async function serve(...answers: readonly { status: number; body: string }[]) {
  const asked: IncomingRequest[] = [];
  listener = await env.network.serve(
    async (request) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(request);
      return { status: answer?.status ?? 500, body: [utf8(answer?.body ?? "")] };
    },
    { host: "127.0.0.1", port: 0, requestsMax: 10 },
  );
  const rest = new RestClient(env, new GatewayNetwork(env), {
    base: `http://127.0.0.1:${listener.port}`,
    token: "secret",
  });
  return { rest, asked };
}

test("a call names its path, query and token, and gives the JSON of the answer", async () => {
  const { rest, asked } = await serve({ status: 200, body: '{"a":1}' });
  const call = { operation: "call", path: "/files", query: { path: "/ä b", cursor: undefined } };
  expect(await rest.get(call)).toEqual({ a: 1 });
  expect(asked[0]?.target).toBe("/api/v1/files?path=%2F%C3%A4%20b");
  expect(asked[0]?.headers["authorization"]).toBe("Bearer secret");
});

test("a server that cannot serve now is asked again, a change under the same key", async () => {
  const { rest, asked } = await serve(
    { status: 503, body: "{}" },
    { status: 503, body: "{}" },
    { status: 204, body: "" },
  );
  expect(await rest.change("DELETE", { operation: "delete", path: "/files/f_1" })).toBeUndefined();
  const keys = asked.map(({ headers }) => headers["idempotency-key"]);
  expect(keys.length).toBe(3);
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^cm_[0-9a-z]{26}$/);
});

test("a refusal is not repeated, and neither is a change whose answer cannot be given twice", async () => {
  const refusing = await serve({ status: 409, body: '{"code":"name_conflict"}' });
  await expect(refusing.rest.change("POST", { operation: "make", path: "/files" })).rejects.toMatchObject({
    kind: "conflict",
  });
  expect(refusing.asked.length).toBe(1);
  await listener?.[Symbol.asyncDispose]();
  const busy = await serve({ status: 503, body: "{}" });
  await expect(busy.rest.once("POST", { operation: "make", path: "/tokens" })).rejects.toMatchObject({
    kind: "unavailable",
  });
  expect(busy.asked.length).toBe(1);
});

test("a server that is not there is told with its address and a hint, without waiting", async () => {
  const { rest } = await serve({ status: 200, body: "{}" });
  const base = `http://127.0.0.1:${listener?.port}`;
  await listener?.[Symbol.asyncDispose]();
  const error = await rest.get({ operation: "read status", path: "/cluster" }).catch((thrown: StorageError) => thrown);
  expect(error).toMatchObject({ kind: "unavailable", details: { unreachable: true } });
  expect((error as StorageError).message).toContain(base);
  expect((error as StorageError).hint).toContain("cairn start");
});

test("a server that answered before is waited for while it restarts, until the caller gives up", async () => {
  const { rest } = await serve({ status: 200, body: "{}" });
  const port = listener?.port ?? 0;
  await rest.get({ operation: "read status", path: "/cluster" });
  await listener?.[Symbol.asyncDispose]();
  const asking = rest.get({ operation: "read status", path: "/cluster" });
  await env.clock.sleep(300);
  listener = await env.network.serve(async () => ({ status: 200, body: [utf8('{"back":true}')] }), {
    ...{ host: "127.0.0.1", port, requestsMax: 10 },
  });
  expect(await asking).toEqual({ back: true });

  await listener[Symbol.asyncDispose]();
  const asked = new AbortController();
  const waiting = rest.get({ operation: "read status", path: "/cluster", signal: asked.signal });
  await env.clock.sleep(300);
  asked.abort();
  await expect(waiting).rejects.toMatchObject({ kind: "cancelled" });
});

test("an answer that is not JSON points at the URL", async () => {
  const { rest } = await serve({ status: 200, body: "<html>" });
  await expect(rest.get({ operation: "read status", path: "/cluster" })).rejects.toMatchObject({ kind: "internal" });
});
