import { execFile, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MiB, seededBytes } from "../support/content.ts";
import { temporaryFolder } from "../support/processes.ts";
import { S3Cluster } from "./s3-cluster.ts";

const run = promisify(execFile);
const snippets = fileURLToPath(new URL("./snippets/", import.meta.url));
const page = readFileSync(new URL("../../docs/s3.md", import.meta.url), "utf8");
const names = readdirSync(snippets).sort();
const folder = temporaryFolder();
const film = seededBytes("film", 21 * MiB + 3);
const picture = seededBytes("picture", 300_000);
let s3: S3Cluster;

beforeAll(async () => {
  s3 = await S3Cluster.start();
  mkdirSync(join(folder.path, "pictures"));
  writeFileSync(join(folder.path, "pictures", "a.jpg"), picture);
  writeFileSync(join(folder.path, "film.mp4"), film);
});
afterAll(async () => {
  // Ends a mount whose snippet failed before its end.
  spawnSync("fusermount", ["-u", "-z", "-q", join(folder.path, "mounted")]);
  await s3[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Bytes that each snippet leaves: as an object, as a file, or both. */
const results: Readonly<Record<string, { bytes: Uint8Array; object?: readonly [string, string]; file?: string }>> = {
  "aws-sdk.mjs": { bytes: Buffer.from("a picture"), object: ["sdk-photos", "2026/cairn.jpg"] },
  "aws.sh": { bytes: picture, object: ["aws-photos", "copy.jpg"] },
  "lib-storage.mjs": { bytes: film, object: ["films", "film.mp4"] },
  "minio.mjs": { bytes: film, object: ["minio-photos", "film.mp4"], file: "film-again.mp4" },
  "rclone.sh": { bytes: picture, object: ["rclone-photos", "2026/a.jpg"] },
  "restic.sh": { bytes: picture, file: "restored/pictures/a.jpg" },
  "s3cmd.sh": { bytes: picture, object: ["s3cmd-photos", "2026/a.jpg"], file: "again.jpg" },
  "s3fs.sh": { bytes: picture, object: ["main", "from-s3fs.jpg"] },
};

/** Why the snippet cannot run on this machine; undefined when it can. */
function missing(name: string): string | undefined {
  if (name.endsWith(".mjs")) return undefined;
  const client = name.replace(".sh", "");
  if (spawnSync("/bin/sh", ["-c", `command -v ${client}`]).status !== 0) return `${client} is not installed`;
  return name === "s3fs.sh" ? unmountable() : undefined;
}

/** Opening the device is the first thing that a mount needs. */
function unmountable(): string | undefined {
  if (!existsSync("/dev/fuse")) return "there is no /dev/fuse";
  try {
    closeSync(openSync("/dev/fuse", "r+"));
    return undefined;
  } catch (error) {
    return `/dev/fuse cannot be opened: ${(error as NodeJS.ErrnoException).code}`;
  }
}

function environment(): NodeJS.ProcessEnv {
  const { AWS_CA_BUNDLE: _bundle, AWS_PROFILE: _profile, ...inherited } = process.env;
  const { endpoint, accessKeyId, secretAccessKey } = s3.credentials;
  return {
    ...inherited,
    ...{ AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    ...{ AWS_DEFAULT_REGION: "us-east-1", HOME: folder.path },
  };
}

test("every snippet has a result that is looked at", () => {
  expect(Object.keys(results)).toEqual(names);
});

test.each(names)("docs/s3.md shows %s as it is run here", (name) => {
  const text = readFileSync(join(snippets, name), "utf8");
  expect(page).toContain(`\`\`\`${name.endsWith(".sh") ? "sh" : "js"}\n${text}\`\`\`\n`);
});

for (const name of names) {
  const reason = missing(name);
  const title =
    reason === undefined
      ? `${name} does what it says, with a node killed in the middle`
      : `not run: ${name}: ${reason}`;
  test.runIf(reason === undefined)(title, { timeout: 180_000 }, async () => {
    const path = join(snippets, name);
    const [command, ...args] = name.endsWith(".sh") ? ["/bin/sh", "-e", path] : [process.execPath, path];
    const running = run(command, args, { cwd: folder.path, env: environment() });
    await s3.cluster.kill("node-3");
    await running;
    await s3.cluster.revive("node-3");
    const { bytes, object, file } = results[name] ?? { bytes: film };
    if (object) expect((await s3.bytesOf({ Bucket: object[0], Key: object[1] })).equals(bytes)).toBe(true);
    if (file) expect(readFileSync(join(folder.path, file)).equals(bytes)).toBe(true);
  });
}
