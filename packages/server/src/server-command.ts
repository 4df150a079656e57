import { join } from "node:path";
import { asStorageError, StorageError } from "@cairn/protocol";
import { type CommandOptions, defaultPort, parseCommandOptions } from "./command-options.ts";
import { readClientProfile, writeClientProfile } from "./local/profile.ts";
import { checkHost } from "./network-policy.ts";
import { dataFolder, places } from "./places.ts";
import { localUrl, reachableHost } from "./reachable-host.ts";
import { describeFailure, runRole } from "./role-process.ts";
import type { RoleConfig } from "./roles/role-config.ts";

/**
 * `cairn server metadata|node|gateway`: one part of a cluster in this process, until a signal ends it. Answers the exit
 * code only when it cannot start; else the process ends by itself.
 */
export async function serverCommand(argv: readonly string[]): Promise<number> {
  try {
    const [role, ...rest] = argv;
    const options = parseCommandOptions(rest);
    checkHost(options.host, options.allowNetwork);
    const data = dataFolder(options.data);
    const config = await roleConfig(role, options, data);
    const ready = await runRole(config, { name: role ?? "", logFolder: places.logs(data), logLevel: options.logLevel });
    if (ready.accessToken !== undefined)
      await writeClientProfile(data, { url: localUrl(ready.url), token: ready.accessToken });
    const s3 = ready.s3 ? `  S3 ${ready.s3.url}` : "";
    process.stdout.write(`${role} ready  ${ready.url}${ready.name === role ? "" : `  (${ready.name})`}${s3}\n`);
    return await forever();
  } catch (error) {
    process.stderr.write(`${describeFailure(error)}\n`);
    return asStorageError(error, "start").kind === "invalid" ? 2 : 1;
  }
}

async function roleConfig(role: string | undefined, options: CommandOptions, data: string): Promise<RoleConfig> {
  const { host, port = defaultPort, s3Port, s3Domains, copies, join: joinToken } = options;
  switch (role) {
    case "metadata": {
      const owner = { token: (await readClientProfile(data))?.token };
      const { settings } = options;
      const place = { folder: places.metadata(data), host, port, s3: { port: s3Port }, localDisks: [], s3Domains };
      return { role, ...place, copies, owner, wantJoinToken: false, settings };
    }
    case "node": {
      const folder = join(data, "node");
      const disks = options.disks.length > 0 ? options.disks : [join(folder, "disk")];
      const { name: node, advertise: advertisedUrl } = options;
      const advertisedHost = advertisedUrl === undefined ? reachableHost(host) : undefined;
      return {
        role,
        folder,
        disks,
        host,
        port: options.port ?? 0,
        metadataUrl: metadataUrl(options),
        joinToken,
        node,
        advertisedUrl,
        advertisedHost,
      };
    }
    case "gateway": {
      const folder = join(data, "gateway");
      const at = { host, port, s3Port };
      return { role, name: role, folder, at, metadataUrl: metadataUrl(options), joinToken, localDisks: [], s3Domains };
    }
    default:
      throw new StorageError("invalid", "start server", `there is no role '${role ?? ""}'`, {
        hint: "Roles: metadata, node, gateway.",
      });
  }
}

function metadataUrl({ metadata }: CommandOptions): string {
  if (metadata !== undefined && URL.canParse(metadata)) return metadata;
  throw new StorageError("invalid", "start server", "the address of the metadata server is missing or no URL", {
    hint: "Name it with --metadata http://HOST:7070",
  });
}

/** The process lives until a signal: close-with-grace ends it when everything is closed. */
function forever(): Promise<number> {
  return new Promise(() => undefined);
}
