import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeEnv } from "@cairn/env-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runMetadata } from "../roles/metadata-role.ts";
import { startLocalCluster } from "./local-cluster.ts";

const env = nodeEnv({ name: "test", level: "silent" });
let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "cairn-owner-"));
});
afterEach(() => rm(data, { recursive: true, force: true }));

async function start(token: string | undefined, settings: Record<string, number> = {}): Promise<string | undefined> {
  await using running = await runMetadata(env, {
    role: "metadata",
    folder: join(data, "metadata"),
    host: "127.0.0.1",
    port: 0,
    s3: { port: 0 },
    localDisks: [],
    s3Domains: [],
    copies: 2,
    owner: { token },
    wantJoinToken: false,
    settings,
  });
  return running.ready.accessToken;
}

test("an access token that opens nothing any more is replaced, and a good one is kept", async () => {
  const first = await start(undefined);
  expect(first).toMatch(/^cairn_/);
  expect(await start(first)).toBeUndefined();
  await rm(join(data, "metadata"), { recursive: true });
  const second = await start(first);
  expect(second).toMatch(/^cairn_/);
  expect(second).not.toBe(first);
});

test("a threshold out of range keeps the metadata server from starting", async () => {
  await expect(start(undefined, { "repair.delay": -1 })).rejects.toMatchObject({ kind: "invalid" });
  await start(undefined, { "repair.delay": 2000 });
});

test("nodes whose metadata is gone are not led by an empty one", async () => {
  await mkdir(join(data, "nodes", "node-1"), { recursive: true });
  await writeFile(join(data, "nodes", "node-1", "node.json"), "{}");
  const options = {
    data,
    host: "127.0.0.1",
    port: 0,
    s3Port: 0,
    s3Domains: [],
    nodes: 2,
    copies: 2,
    gateways: 0,
    logLevel: "silent",
  } as const;
  await expect(startLocalCluster(env, options)).rejects.toMatchObject({
    kind: "conflict",
    hint: expect.stringContaining("backup"),
  });
});
