import { join } from "node:path";
import type { Env } from "@cairn/env";
import { startGateway } from "@cairn/gateway";
import { CleanupStack, StorageError, utf8 } from "@cairn/protocol";
import { jsonOfReply, remoteMetadata, remoteOperations } from "@cairn/remote";
import { isLoopback } from "../network-policy.ts";
import { readJsonFile, writeSecretFile } from "../secret-file.ts";
import { version } from "../version.ts";
import { driveParts } from "./drive-parts.ts";
import { dataPathMount } from "./metadata-mounts.ts";
import type { GatewayRoleConfig, RoleReady, RunningRole } from "./role-config.ts";
import { openDoorByHost, openHandedDoor, openS3Door } from "./s3-door.ts";

/** A gateway of its own, on any machine that reaches the metadata server. */
export async function runGateway(env: Env, config: GatewayRoleConfig): Promise<RunningRole> {
  await using undo = new CleanupStack();
  const { network, clock, random } = env;
  const bearer = await gatewayCredential(env, config);
  const remote = { network, clock, random, bearer };
  const metadata = remoteMetadata({ ...remote, base: `${config.metadataUrl}/cluster/v1/metadata` });
  const operations = remoteOperations({ ...remote, base: `${config.metadataUrl}/cluster/v1/operations` });
  const parts = driveParts(env, metadata, config.localDisks);
  undo.use(parts.writer);
  const { at, name } = config;
  const doorParts = { ...parts, env, metadata, domains: config.s3Domains };
  if ("s3Url" in at) {
    undo.use(openHandedDoor(doorParts));
    return running(undo, { name, url: at.s3Url, s3: { url: at.s3Url } });
  }
  const { host, port, s3Port } = at;
  const s3 = undo.use(await openS3Door(doorParts, { host, port: s3Port }));
  const rest = undo.use(
    await startGateway({
      ...{ env, metadata, operations, ...parts, version, s3 },
      s3Door: undo.use(openDoorByHost(doorParts)),
      mounts: [dataPathMount(metadata, env.log)],
      listen: { host, port },
      openMetrics: isLoopback(host),
      rememberPrincipalsMs: 1000,
    }),
  );
  return running(undo, { name, url: rest.url, port: rest.port, s3 });
}

function running(undo: CleanupStack, ready: RoleReady): RunningRole {
  const parts = undo.move();
  return { ready, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
}

/** The gateway's own credential; the first time it is given in exchange for a join token. */
async function gatewayCredential({ network }: Env, config: GatewayRoleConfig): Promise<string> {
  const file = join(config.folder, "gateway.json");
  const stored = await readJsonFile<{ credential: string }>(file);
  if (stored) return stored.credential;
  if (config.joinToken === undefined) {
    throw new StorageError(
      "unauthenticated",
      "join cluster",
      "the gateway has neither joined before nor a join token",
      {
        hint: "Make a token on the metadata server with: cairn node add --print-join-command",
      },
    );
  }
  const reply = await network.request({
    method: "POST",
    url: `${config.metadataUrl}/cluster/v1/gateways/join`,
    headers: { "content-type": "application/json" },
    body: [utf8(JSON.stringify([{ secret: config.joinToken, name: config.name }]))],
    timeoutMs: 10_000,
    replyBytesMax: 65_536,
  });
  const { result } = jsonOfReply<{ result: { credential: string } }>(reply, "join cluster");
  await writeSecretFile(file, result);
  return result.credential;
}
