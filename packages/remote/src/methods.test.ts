import type { HttpHandler, IncomingReply, Listener, Log } from "@cairn/env";
import { NodeNetwork } from "@cairn/env-node";
import {
  type CommitRequest,
  type DataPathService,
  failed,
  type LeaseId,
  type MembershipService,
  StorageError,
  succeeded,
  utf8,
} from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dataPathMethods, membershipMethods } from "./method-lists.ts";
import { type MethodServerOptions, serveMethods } from "./method-server.ts";
import { remoteDataPath, remoteMembership } from "./remote-service.ts";

const base = "/api/v1/data";
const network = new NodeNetwork();
let listener: Listener | undefined;
let calls: [string, unknown[]][];
let logged: unknown[];
const log = { error: (fields: unknown) => void logged.push(fields) } as unknown as Log;

/** A service whose every method answers with what `answer` gives for its name and arguments. */
function serviceOf(answer: (method: string, args: unknown[]) => unknown): DataPathService {
  return new Proxy({} as DataPathService, {
    get:
      (_, method: string) =>
      async (...args: unknown[]) => {
        calls.push([method, args]);
        return answer(method, args);
      },
  });
}

async function serve(service: DataPathService, changes: Partial<MethodServerOptions> = {}): Promise<void> {
  const handler = serveMethods(service, dataPathMethods, { base, authorise: async () => undefined, log, ...changes });
  await listen(handler);
}

async function listen(handler: HttpHandler): Promise<void> {
  listener = await network.serve(handler, { host: "127.0.0.1", port: 0, requestsMax: 64 });
}

const url = (): string => `http://127.0.0.1:${listener?.port}${base}`;
const clock = new VirtualClock();
const remote = (bearer?: string): DataPathService =>
  remoteDataPath({ network, clock, random: new SeededRandom(1), base: url(), bearer, tries: 1 });

function post(path: string, body: Uint8Array, method: "POST" | "GET" = "POST"): Promise<IncomingReply> {
  const target = `http://127.0.0.1:${listener?.port}${path}`;
  return network.request({
    method,
    url: target,
    ...(method === "GET" ? {} : { body: [body] }),
    timeoutMs: 5000,
    replyBytesMax: 1e6,
  });
}

beforeEach(() => {
  calls = [];
  logged = [];
});
afterEach(async () => {
  await listener?.[Symbol.asyncDispose]();
  listener = undefined;
});

test("a call reaches the method with its arguments, and its result comes back", async () => {
  await serve(serviceOf(() => ({ id: 7, groups: [] })));
  expect(await remote().renewLease(7 as LeaseId)).toEqual({ id: 7, groups: [] });
  await remote().planRead({ drive: "dr_x" as never, path: "/a" }, undefined, 5);
  expect(calls).toEqual([
    ["renewLease", [7]],
    ["planRead", [{ drive: "dr_x", path: "/a" }, undefined, 5]],
  ]);
});

test("a method without a result gives undefined, and each item of a batch keeps its outcome", async () => {
  const gone = new StorageError("chunk-gone", "commit", "collected", {
    details: { chunks: ["x"] },
    hint: "Send it again.",
  });
  await serve(
    serviceOf((method) => (method === "commit" ? [succeeded({ changed: true }), failed(gone, "commit")] : undefined)),
  );
  expect(await remote().closeLease(7 as LeaseId)).toBeUndefined();
  const [first, second] = await remote().commit([{}, {}] as CommitRequest[]);
  expect(first).toEqual({ ok: true, value: { changed: true } });
  if (second?.ok !== false) throw new Error("the second item failed");
  expect(second.error).toBeInstanceOf(StorageError);
  expect(second.error).toMatchObject({ kind: "chunk-gone", details: { chunks: ["x"] }, hint: "Send it again." });
});

test("a refusal arrives as it was meant", async () => {
  await serve(
    serviceOf(() => {
      throw new StorageError("stale", "renew lease", "lease 7", { hint: "Open another one." });
    }),
  );
  await expect(remote().renewLease(7 as LeaseId)).rejects.toMatchObject({ kind: "stale", hint: "Open another one." });
});

test("what was not foreseen is logged and told by the request's id only", async () => {
  await serve(
    serviceOf(() => {
      throw new TypeError("SELECT secret FROM /data/db");
    }),
  );
  const error = await remote()
    .renewLease(7 as LeaseId)
    .catch((it: StorageError) => it);
  expect(error).toMatchObject({ kind: "internal" });
  expect(JSON.stringify([error, String(error)])).not.toContain("secret");
  expect(logged).toHaveLength(1);
});

test("who may not call learns nothing, not even which methods there are", async () => {
  const authorise = async (request: { headers: Readonly<Record<string, string | undefined>> }): Promise<void> => {
    if (request.headers["authorization"] !== "Bearer good") throw new StorageError("unauthenticated", "call", "who?");
  };
  await serve(
    serviceOf(() => undefined),
    { authorise },
  );
  await expect(remote("bad").closeLease(7 as LeaseId)).rejects.toMatchObject({ kind: "unauthenticated" });
  expect((await post(`${base}/nothing`, utf8("[]"))).status).toBe(401);
  expect(calls).toEqual([]);
  expect(await remote("good").closeLease(7 as LeaseId)).toBeUndefined();
});

test("only listed methods can be called, and only by POST", async () => {
  await serve(serviceOf(() => "reached"));
  for (const path of [
    `${base}/drives`,
    `${base}/constructor`,
    `${base}/__proto__`,
    `${base}/`,
    base,
    `${base}/stat/x`,
    "/other/path/openLease",
    `${base}/commit?x=1`,
  ]) {
    expect([path, (await post(path, utf8("[]"))).status]).toEqual([path, 404]);
  }
  expect((await post(`${base}/commit`, utf8(""), "GET")).status).toBe(404);
  expect(calls).toEqual([]);
});

test("a body that is no list of arguments is refused", async () => {
  await serve(serviceOf(() => "reached"));
  for (const body of ["", "{", "{}", "5", '"a"', "null", "[1,2,3,4,5,6,7,8,9]", "[".repeat(100_000), "[NaN]"]) {
    expect([body.slice(0, 20), (await post(`${base}/commit`, utf8(body))).status]).toEqual([body.slice(0, 20), 400]);
  }
  expect((await post(`${base}/commit`, Uint8Array.of(0x5b, 0xff, 0x5d))).status).toBe(400);
  expect((await post(`${base}/commit`, new Uint8Array(8_388_609))).status).toBe(413);
  expect(calls).toEqual([]);
});

test("`__proto__` among the arguments stays a name", async () => {
  await serve(serviceOf(() => undefined));
  expect((await post(`${base}/commit`, utf8('[{"__proto__":{"polluted":1}}]'))).status).toBe(200);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("a repeatable call is tried three times when nobody answers, others once, and a refusal never again", async () => {
  let failures = 0;
  let kind: "reset" | "invalid" = "reset";
  const flaky = {
    ...network,
    request: async () => {
      failures++;
      throw kind === "reset"
        ? new StorageError("unavailable", "request", "reset", { details: { code: "ECONNRESET" } })
        : new StorageError("invalid", "request", "no");
    },
    serve: network.serve,
  };
  const options = { network: flaky, clock, random: new SeededRandom(3), base: "http://127.0.0.1:9" };
  const settled = async (call: Promise<unknown>): Promise<string> => {
    const kindOf = call.then(
      () => "ok",
      (error: StorageError) => error.kind,
    );
    await clock.advance(10_000);
    return kindOf;
  };
  expect(await settled(remoteDataPath(options).closeLease(7 as LeaseId))).toBe("unavailable");
  expect(failures).toBe(3);
  failures = 0;
  expect(await settled(remoteMembership(options).heartbeat({} as Parameters<MembershipService["heartbeat"]>[0]))).toBe(
    "unavailable",
  );
  expect(failures).toBe(1);
  failures = 0;
  kind = "invalid";
  expect(await settled(remoteDataPath(options).closeLease(7 as LeaseId))).toBe("invalid");
  expect(failures).toBe(1);
  expect(Object.keys(membershipMethods).sort()).toEqual(["heartbeat", "register"]);
});

test("answers of proxies and strangers become errors that say so", async () => {
  const answers: [IncomingReply["status"], string, string][] = [
    [200, "not json", "internal"],
    [502, "<html>bad gateway</html>", "unavailable"],
    [503, "", "overloaded"],
    [401, "{}", "unauthenticated"],
    [418, "{}", "internal"],
    [500, '{"error":{"kind":"nobody knows"}}', "internal"],
  ];
  for (const [status, body, kind] of answers) {
    await listen(async () => ({ status, body: [utf8(body)] }));
    const error = await remote()
      .closeLease(7 as LeaseId)
      .catch((it: StorageError) => it);
    expect([status, (error as StorageError).kind]).toEqual([status, kind]);
    await listener?.[Symbol.asyncDispose]();
  }
});
