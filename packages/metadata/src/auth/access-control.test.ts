import { beforeEach, expect, test } from "vitest";
import { failureOf, TestCluster } from "../service/testing/test-cluster.ts";
import type { AccessControl } from "./access-control.ts";

let cluster: TestCluster;
let access: AccessControl;
beforeEach(async () => {
  cluster = await TestCluster.open();
  access = cluster.core.access;
});

test("a token opens what its scopes say, and its secret is 256 bits behind a known prefix", async () => {
  const { token, secret } = await access.createToken({ name: "laptop", scopes: ["write", "read", "read"] });
  expect(secret).toMatch(/^cairn_[A-Za-z0-9_-]{43}$/);
  expect(await access.authenticate(secret)).toEqual({ token: token.token, name: "laptop", scopes: ["read", "write"] });
});

test("the secret is stored hashed and shown once", async () => {
  const { secret } = await access.createToken({ name: "laptop", scopes: ["read"] });
  const rows = await cluster.database.read((sql) => sql.all("SELECT * FROM access_token"));
  expect(JSON.stringify(rows)).not.toContain(secret.slice("cairn_".length));
  expect(JSON.stringify(await access.listTokens())).not.toContain(secret);
});

test("what is no token does not open anything", async () => {
  const { secret } = await access.createToken({ name: "laptop", scopes: ["read"] });
  for (const guess of ["", "cairn_", secret.slice(0, -1), `${secret}x`, secret.toUpperCase(), "x".repeat(100_000)]) {
    expect((await failureOf(access.authenticate(guess))).kind).toBe("unauthenticated");
  }
});

test("a secret that is no text is refused as any other wrong one", async () => {
  for (const guess of [undefined, null, 7, {}, ["x"]]) {
    expect((await failureOf(access.authenticate(guess as unknown as string))).kind).toBe("unauthenticated");
  }
});

test("a revocation wins over a check that was under way", async () => {
  const { token, secret } = await access.createToken({ name: "laptop", scopes: ["read"] });
  let release = (): void => undefined;
  cluster.database.readsHeld = new Promise((resolve) => {
    release = resolve;
  });
  const check = access.authenticate(secret);
  await cluster.clock.advance(0);
  await access.revokeToken(token.token);
  release();
  await check;
  cluster.database.readsHeld = undefined;
  expect((await failureOf(access.authenticate(secret))).kind).toBe("unauthenticated");
});

test("a revoked token stops at once, also one that was just used", async () => {
  const { token, secret } = await access.createToken({ name: "laptop", scopes: ["read"] });
  await access.authenticate(secret);
  await access.revokeToken(token.token);
  expect((await failureOf(access.authenticate(secret))).kind).toBe("unauthenticated");
  expect(await access.listTokens()).toEqual([]);
  await access.revokeToken(token.token);
  expect((await failureOf(access.revokeToken("tk_unknown"))).kind).toBe("not-found");
});

test("a token ends at its time, also one that was just used", async () => {
  const { token, secret } = await access.createToken({ name: "ci", scopes: ["write"], expiresInMs: 1500 });
  expect(token.expiresAt).toBe(cluster.clock.now() + 1500);
  await cluster.clock.advance(1499);
  await access.authenticate(secret);
  await cluster.clock.advance(1);
  expect((await failureOf(access.authenticate(secret))).kind).toBe("unauthenticated");
  expect(await access.listTokens()).toEqual([]);
});

test("a token that another metadata server revoked stops within seconds", async () => {
  const { token, secret } = await access.createToken({ name: "laptop", scopes: ["read"] });
  await access.authenticate(secret);
  await cluster.database.write((sql) => sql.run("UPDATE access_token SET revoked_at = 1 WHERE id = ?", token.token));
  await cluster.clock.advance(2000);
  expect((await failureOf(access.authenticate(secret))).kind).toBe("unauthenticated");
});

test.each([
  ["no name", { name: " ", scopes: ["read" as const] }],
  ["a name without end", { name: "x".repeat(101), scopes: ["read" as const] }],
  ["no scope", { name: "a", scopes: [] }],
  ["a scope that is none", { name: "a", scopes: ["read", "root"] as never }],
  ["the scope of services", { name: "a", scopes: ["service"] as never }],
  ["an end in the past", { name: "a", scopes: ["read" as const], expiresInMs: -1 }],
])("a token with %s is not made", async (_what, request) => {
  expect((await failureOf(access.createToken(request))).kind).toBe("invalid");
});

test("the first admin token is made once in the life of a cluster, even when it was revoked", async () => {
  const first = await access.createFirstAdminToken("first start");
  expect(await access.authenticate(first?.secret ?? "")).toMatchObject({ scopes: ["admin"] });
  await access.revokeToken(first?.token.token ?? "");
  expect(await access.createFirstAdminToken("second start")).toBeUndefined();
});

test("a gateway's credential opens the internal services, and no user's token does", async () => {
  const { credential } = await access.createServiceCredential("gateway");
  expect(await access.authenticateService(credential)).toMatchObject({ name: "gateway" });
  expect((await failureOf(access.authenticate(credential))).kind).toBe("unauthenticated");
  const { secret } = await access.createToken({ name: "root", scopes: ["admin"] });
  expect((await failureOf(access.authenticateService(secret))).kind).toBe("unauthenticated");
  expect(await access.listTokens()).toHaveLength(1);
});

test("a gateway joins with a join token, which is neither an access token nor a credential", async () => {
  const { secret } = await access.createJoinToken({ expiresInMs: 60_000 });
  const { credential } = await access.joinGateway({ secret, name: "gateway-2" });
  await access.authenticateService(credential);
  expect((await failureOf(access.authenticate(secret))).kind).toBe("unauthenticated");
  expect((await failureOf(access.authenticateService(secret))).kind).toBe("unauthenticated");
  await cluster.clock.advance(60_000);
  expect((await failureOf(access.joinGateway({ secret, name: "gateway-3" }))).kind).toBe("unauthenticated");
});

test.each([0, 59_999, Number.NaN, Number.POSITIVE_INFINITY])(
  "a join token of %d ms is not made",
  async (expiresInMs) => {
    expect((await failureOf(access.createJoinToken({ expiresInMs }))).kind).toBe("invalid");
  },
);
