import { join } from "node:path";
import { nodeEnv } from "@cairn/env-node";
import { asStorageError } from "@cairn/protocol";
import { type CommandOptions, defaultPort, parseCommandOptions } from "./command-options.ts";
import { type LocalCluster, startLocalCluster } from "./local/local-cluster.ts";
import { LogFile } from "./log-file.ts";
import { checkHost } from "./network-policy.ts";
import { dataFolder, places, shortPath } from "./places.ts";
import { describeFailure } from "./role-process.ts";

/**
 * `cairn start`: a whole cluster on this machine, until Ctrl-C. Answers the exit code: 0 stopped, 1 failed, 2 wrong
 * options, 130 and 143 stopped by a second signal.
 */
export async function startCommand(argv: readonly string[]): Promise<number> {
  let options: CommandOptions;
  try {
    options = parseCommandOptions(argv);
    checkHost(options.host, options.allowNetwork);
  } catch (error) {
    process.stderr.write(`${describeFailure(error)}\n`);
    return asStorageError(error, "start").kind === "invalid" ? 2 : 1;
  }
  const data = dataFolder(options.data);
  await using destination = supervisorLog(data);
  await using env = nodeEnv({ name: "supervisor", level: options.logLevel, destination });
  process.stdout.write(`starting a metadata server and ${options.nodes} storage nodes in ${shortPath(data)} …\n`);
  const startedAt = env.clock.monotonic();
  let cluster: LocalCluster;
  try {
    cluster = await startLocalCluster(env, { ...options, port: options.port ?? defaultPort, data });
  } catch (error) {
    process.stderr.write(`${describeFailure(error)}\n`);
    return 1;
  }
  const seconds = ((env.clock.monotonic() - startedAt) / 1000).toFixed(1);
  process.stdout.write(welcome(cluster, { ...options, data, seconds }));
  return stopOnSignal(cluster);
}

function supervisorLog(data: string): LogFile {
  return new LogFile(join(places.logs(data), "supervisor.log"), {
    name: "supervisor",
    toTerminal: (line) => process.stderr.write(`${line}\n`),
  });
}

function welcome(
  cluster: LocalCluster,
  { data, seconds, copies, gateways }: { data: string; seconds: string; copies: number; gateways: number },
): string {
  const { url } = cluster.profile;
  return [
    `ready in ${seconds} s  ${url}`,
    `  nodes  ${cluster.nodes.join(", ")} · ${copies} ${copies === 1 ? "copy" : "copies"} of every chunk`,
    `  data   ${shortPath(data)}`,
    `  API    ${url}/api/v1/openapi.json`,
    `  S3     ${cluster.s3Url}  (keys: npx cairn s3 key create)${gateways > 0 ? `, answered by ${gateways} processes` : ""}`,
    "  stop   Ctrl-C",
    "",
    "Try in another terminal:",
    "  npx cairn upload ./README.md",
    "  npx cairn list",
    "  npx cairn local kill node-2",
    "  npx cairn status",
    "",
  ].join("\n");
}

/** The first signal stops in order, the second at once. */
function stopOnSignal(cluster: LocalCluster): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: "SIGINT" | "SIGTERM"): void => {
      if (stopping) {
        cluster.abandon();
        resolve(signal === "SIGINT" ? 130 : 143);
        return;
      }
      stopping = true;
      process.stdout.write("\nstopping … (again to stop at once)\n");
      cluster[Symbol.asyncDispose]().then(
        () => {
          process.stdout.write("stopped; everything is on disk\n");
          resolve(0);
        },
        (error: unknown) => {
          process.stderr.write(`${describeFailure(error)}\n`);
          resolve(1);
        },
      );
    };
    process.on("SIGINT", () => stop("SIGINT"));
    process.on("SIGTERM", () => stop("SIGTERM"));
  });
}
