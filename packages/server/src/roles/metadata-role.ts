import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Env } from "@cairn/env";
import { NodeDisk, openSqlite } from "@cairn/env-node";
import { startGateway } from "@cairn/gateway";
import { type MetadataKeys, newMetadataKeys, type OpenMetadata, openMetadata } from "@cairn/metadata";
import { CleanupStack, fromBase64Url, isKind, StorageError, toBase64Url } from "@cairn/protocol";
import { nodeCommandsAt } from "@cairn/remote";
import { isLoopback } from "../network-policy.ts";
import { closeToOthers, readJsonFile, writeSecretFile } from "../secret-file.ts";
import { version } from "../version.ts";
import { driveParts } from "./drive-parts.ts";
import { clusterMounts, dataPathMount } from "./metadata-mounts.ts";
import type { MetadataRoleConfig, RunningRole } from "./role-config.ts";
import { openDoorByHost, openS3Door, region } from "./s3-door.ts";

const databaseFile = "metadata.sqlite";
const keysFile = "keys.json";
const joinTokenMs = 3_600_000;

/** The metadata server with the gateway in its process. A second one on the same folder is refused at once. */
export async function runMetadata(env: Env, config: MetadataRoleConfig): Promise<RunningRole> {
  await using undo = new CleanupStack();
  await mkdir(config.folder, { recursive: true, mode: 0o700 });
  undo.use(await lockFolder(config.folder));
  const { keys, keysAreNew } = await loadKeys(env, config.folder);
  const database = undo.use(await openSqlite(join(config.folder, databaseFile)));
  const opened = undo.use(
    await openMetadata({
      env,
      database,
      keys,
      keysAreNew,
      copies: config.copies,
      version,
      queue: { gather },
      nodeCommandsAt: nodeCommandsAt(env),
    }),
  );
  // Noted only now: a first start that was cut off before the database knew its cluster is a first start again.
  if (keysAreNew) await saveKeys(config.folder, keys, true);
  const { metadata, operations, access } = opened;
  if (config.settings && Object.keys(config.settings).length > 0) await operations.changeSettings(config.settings);
  const parts = driveParts(env, metadata, config.localDisks);
  undo.use(parts.writer);
  const doorParts = { ...parts, env, metadata, domains: config.s3Domains };
  const s3 =
    "url" in config.s3
      ? { url: config.s3.url, region }
      : undo.use(await openS3Door(doorParts, { host: config.host, port: config.s3.port }));
  const gateway = undo.use(
    await startGateway({
      env,
      metadata,
      operations,
      ...parts,
      mounts: [dataPathMount(metadata, env.log), ...clusterMounts(opened, env.log)],
      listen: { host: config.host, port: config.port },
      version,
      openMetrics: isLoopback(config.host),
      s3,
      s3Door: undo.use(openDoorByHost(doorParts)),
    }),
  );
  const accessToken = config.owner && (await newOwnerToken(opened, config.owner.token));
  const joinToken = config.wantJoinToken
    ? (await access.createJoinToken({ expiresInMs: joinTokenMs })).secret
    : undefined;
  env.log.info({ url: gateway.url, cluster: keys.cluster }, "metadata server is ready");
  const running = undo.move();
  return {
    ready: { url: gateway.url, port: gateway.port, name: "metadata", accessToken, joinToken, s3 },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** A token for the machine's owner, unless the one that is known still opens the door. */
async function newOwnerToken({ access }: OpenMetadata, known: string | undefined): Promise<string | undefined> {
  try {
    if (known !== undefined) {
      await access.authenticate(known);
      return undefined;
    }
  } catch (error) {
    if (!isKind(error, "unauthenticated")) throw error;
  }
  return (await access.createToken({ name: "owner of this machine", scopes: ["admin"] })).secret;
}

interface StoredKeys {
  readonly cluster: string;
  readonly tokenKey: string;
  /** True once a database has been tied to these keys. */
  readonly adopted: boolean;
}

/** Ends when the requests that have arrived were all read: they then share a transaction. */
const gather = (): Promise<void> => new Promise((done) => setImmediate(done));

async function lockFolder(folder: string): Promise<AsyncDisposable> {
  try {
    return await new NodeDisk(folder).lock("lock");
  } catch (cause) {
    if (!(cause instanceof StorageError) || cause.kind !== "unavailable") throw cause;
    throw new StorageError("unavailable", "open metadata", `another metadata server runs on ${folder}`, {
      hint: "One metadata server serves one database. Stop the other one, or choose another folder with --data.",
    });
  }
}

/** The cluster's keys, made at the first start. They stand beside the database and never in it. */
async function loadKeys(env: Env, folder: string): Promise<{ keys: MetadataKeys; keysAreNew: boolean }> {
  const file = join(folder, keysFile);
  const stored = await readJsonFile<StoredKeys>(file);
  if (stored) {
    if (await closeToOthers(file))
      env.log.warn({ file }, "the keys could be read by others; they are closed to them now, but consider them known");
    return { keys: { cluster: stored.cluster, tokenKey: keyOf(stored.tokenKey, file) }, keysAreNew: !stored.adopted };
  }
  if (existsSync(join(folder, databaseFile))) {
    throw new StorageError("conflict", "open metadata", `${file} is missing, but the database is there`, {
      hint: "Restore keys.json from its backup: without it no node trusts this server.",
    });
  }
  const keys = newMetadataKeys(env.random);
  await saveKeys(folder, keys, false);
  return { keys, keysAreNew: true };
}

function saveKeys(folder: string, keys: MetadataKeys, adopted: boolean): Promise<void> {
  const stored: StoredKeys = { cluster: keys.cluster, tokenKey: toBase64Url(keys.tokenKey), adopted };
  return writeSecretFile(join(folder, keysFile), stored);
}

function keyOf(text: string, file: string): Uint8Array {
  const key = fromBase64Url(text);
  if (key.length === 32) return key;
  throw new StorageError("invalid", "read keys", file, {
    hint: "The key must have 32 bytes. Restore keys.json from its backup.",
  });
}
