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
import type { GatewayRoleConfig, RunningRole } from "./role-config.ts";
import { openS3Door } from "./s3-door.ts";

/** A gateway of its own, on any machine that reaches the metadata server. */
export async function runGateway(env: Env, config: GatewayRoleConfig): Promise<RunningRole> {
  await using undo = new CleanupStack();
  const { network, clock, random } = env;
  const bearer = await gatewayCredential(env, config);
  const remote = { network, clock, random, bearer };
  const metadata = remoteMetadata({ ...remote, base: `${config.metadataUrl}/cluster/v1/metadata` });
  const operations = remoteOperations({ ...remote, base: `${config.metadataUrl}/cluster/v1/operations` });
  const { reader, writer } = driveParts(env, metadata, "gateway");
  undo.use(writer);
  const s3 = undo.use(await openS3Door(env, metadata, { reader, writer, host: config.host, port: config.s3Port }));
  const gateway = undo.use(
    await startGateway({
      env,
      metadata,
      operations,
      reader,
      writer,
      mounts: [dataPathMount(metadata, env.log)],
      listen: { host: config.host, port: config.port },
      version,
      openMetrics: isLoopback(config.host),
      rememberPrincipalsMs: 1000,
      s3: { url: s3.url, region: s3.region },
    }),
  );
  const running = undo.move();
  return {
    ready: { url: gateway.url, port: gateway.port, name: "gateway", s3 },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
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
    body: [utf8(JSON.stringify([{ secret: config.joinToken, name: `gateway on ${config.host}` }]))],
    timeoutMs: 10_000,
    replyBytesMax: 65_536,
  });
  const { result } = jsonOfReply<{ result: { credential: string } }>(reply, "join cluster");
  await writeSecretFile(file, result);
  return result.credential;
}
