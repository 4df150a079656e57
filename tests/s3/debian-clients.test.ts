import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MiB, seededBytes } from "../support/content.ts";
import { temporaryFolder } from "../support/processes.ts";
import { S3Cluster } from "./s3-cluster.ts";

const run = promisify(execFile);
const folder = temporaryFolder();
let s3: S3Cluster;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  s3 = await S3Cluster.start();
  const { accessKeyId, secretAccessKey, region } = s3.credentials;
  const { AWS_CA_BUNDLE: _bundle, AWS_PROFILE: _profile, ...inherited } = process.env;
  environment = {
    ...inherited,
    ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_DEFAULT_REGION: region },
    ...{ HOME: folder.path, RESTIC_PASSWORD: "x", RESTIC_CACHE_DIR: join(folder.path, "cache") },
  };
  mkdirSync(join(folder.path, "tree", "a", "b"), { recursive: true });
  for (let index = 0; index < 25; index++) {
    writeFileSync(
      join(folder.path, "tree", "a", "b", `file ${index} ä+.bin`),
      seededBytes(`file ${index}`, index * 4000),
    );
  }
  writeFileSync(join(folder.path, "big.bin"), seededBytes("big", 20 * MiB + 5));
});
afterAll(async () => {
  await s3[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** What a client prints. */
async function client(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(command, args, { cwd: folder.path, env: environment, timeout: 120_000 });
  return stdout + stderr;
}

async function has(command: string): Promise<boolean> {
  return await run("/bin/sh", ["-c", `command -v ${command}`]).then(
    () => true,
    () => false,
  );
}

function expectSame(one: string, other: string): void {
  const files = readdirSync(join(folder.path, one), { recursive: true, withFileTypes: true }).filter((it) =>
    it.isFile(),
  );
  expect(files.length).toBeGreaterThan(0);
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    const copy = path.replace(join(folder.path, one), join(folder.path, other));
    expect(readFileSync(copy).equals(readFileSync(path)), copy).toBe(true);
  }
}

// Where a client is not installed its flow does not run here; scripts/s3-clients.mjs installs them from Debian.
const aws = (await has("/usr/bin/aws")) ? "/usr/bin/aws" : "aws";
const there = Object.fromEntries(
  await Promise.all([aws, "s3cmd", "rclone", "restic"].map(async (name) => [name, await has(name)] as const)),
);

describe("clients from Debian", { timeout: 180_000 }, () => {
  test.runIf(there[aws])("aws: a bucket, a large file in parts, a tree, a copy, a presigned URL", async () => {
    const s3aws = (...args: string[]) => client(aws, "--endpoint-url", s3.credentials.endpoint, "s3", ...args);
    await s3aws("mb", "s3://cli");
    await s3aws("cp", "big.bin", "s3://cli/big.bin", "--no-progress");
    await s3aws("sync", "tree", "s3://cli/tree", "--no-progress");
    await s3aws("cp", "s3://cli/big.bin", "s3://cli/copy.bin", "--no-progress");
    await s3aws("cp", "s3://cli/copy.bin", "copied.bin", "--no-progress");
    await s3aws("sync", "s3://cli/tree", "aws-tree", "--no-progress");
    expectSame("tree", "aws-tree");
    const big = readFileSync(join(folder.path, "big.bin"));
    expect(readFileSync(join(folder.path, "copied.bin")).equals(big)).toBe(true);
    const url = (await s3aws("presign", "s3://cli/big.bin")).trim();
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(big)).toBe(true);
    await s3aws("rm", "s3://cli", "--recursive");
    await s3aws("rb", "s3://cli");
  });

  test.runIf(there["s3cmd"])("s3cmd: put, sync, get, delete", async () => {
    const host = s3.credentials.endpoint.replace("http://", "");
    const { accessKeyId, secretAccessKey } = s3.credentials;
    const at = [
      `--access_key=${accessKeyId}`,
      `--secret_key=${secretAccessKey}`,
      `--host=${host}`,
      `--host-bucket=${host}`,
    ];
    const s3cmd = (...args: string[]) =>
      client("s3cmd", ...at, "--no-ssl", "--region=us-east-1", "--no-progress", ...args);
    await s3cmd("mb", "s3://scmd");
    await s3cmd("put", "big.bin", "s3://scmd/big");
    await s3cmd("sync", "tree/", "s3://scmd/tree/");
    await s3cmd("get", "s3://scmd/big", "s3cmd.bin");
    expect(readFileSync(join(folder.path, "s3cmd.bin")).equals(readFileSync(join(folder.path, "big.bin")))).toBe(true);
    mkdirSync(join(folder.path, "s3cmd-tree"));
    await s3cmd("sync", "s3://scmd/tree/", "s3cmd-tree/");
    expectSame("tree", "s3cmd-tree");
    await s3cmd("del", "--recursive", "--force", "s3://scmd");
    await s3cmd("rb", "s3://scmd");
  });

  test.runIf(there["rclone"])("rclone: sync, check --download, move, purge, a stream of unknown length", async () => {
    const { accessKeyId, secretAccessKey, endpoint } = s3.credentials;
    const remote = `:s3,provider=Other,access_key_id=${accessKeyId},secret_access_key=${secretAccessKey},endpoint='${endpoint}',region=us-east-1:`;
    const rclone = (...args: string[]) => client("rclone", ...args.map((word) => word.replace(/^r:/, remote)));
    await rclone("mkdir", "r:rclone");
    await rclone("sync", "tree", "r:rclone/tree");
    expect(await rclone("check", "--download", "tree", "r:rclone/tree")).toContain("0 differences found");
    await rclone("copyto", "big.bin", "r:rclone/big.bin");
    await rclone("moveto", "r:rclone/big.bin", "r:rclone/moved.bin");
    await client("/bin/sh", "-c", `rclone rcat "${remote}rclone/streamed" < big.bin`);
    await rclone("copyto", "r:rclone/streamed", "rclone.bin");
    expect(readFileSync(join(folder.path, "rclone.bin")).equals(readFileSync(join(folder.path, "big.bin")))).toBe(true);
    await rclone("purge", "r:rclone/tree");
    const left = (await rclone("lsf", "-R", "r:rclone")).trim().split("\n");
    expect(left.filter((line) => !line.includes("NOTICE")).sort()).toEqual(["moved.bin", "streamed"]);
  });

  test.runIf(there["restic"])(
    "restic: backup, check --read-data, restore and prune, with a node killed in the middle",
    async () => {
      environment["RESTIC_REPOSITORY"] = `s3:${s3.credentials.endpoint}/restic`;
      await client("restic", "init");
      const backing = client("restic", "backup", "tree", "big.bin");
      await s3.cluster.kill("node-3");
      await backing;
      expect(await client("restic", "check", "--read-data")).toContain("no errors were found");
      await client("restic", "restore", "latest", "--target", "restored");
      expectSame("tree", "restored/tree");
      await s3.cluster.revive("node-3");
      await client("restic", "backup", "tree");
      await client("restic", "forget", "--keep-last", "1", "--prune");
      expect(await client("restic", "check")).toContain("no errors were found");
    },
  );
});
