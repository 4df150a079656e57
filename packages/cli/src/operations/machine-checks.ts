import { stat, statfs } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { ClusterHealth, NodeStatus } from "@cairn/protocol";
import type { CommandContext } from "../command-context.ts";
import { formatBytes, formatDuration } from "../format.ts";
import { profilesFile } from "../places.ts";
import { programVersion } from "../version.ts";

/** What a look at one thing came to. */
export interface Finding {
  readonly name: string;
  readonly verdict: "good" | "attention" | "bad";
  readonly message: string;
  readonly hint?: string | undefined;
}

const clockSkewMsMax = 60_000;
const freeShareMin = 0.05;
const connectMs = 2000;

/** Looks at this machine as it bears on the cluster: files and who may read them, the local disk, clock, version, ports. */
export async function checkMachine(context: CommandContext, health: ClusterHealth): Promise<readonly Finding[]> {
  const data = await context.dataFolder();
  const secrets = [profilesFile(context.terminal), join(data, "client.json"), join(data, "metadata", "keys.json")];
  return [
    checkVersion(health),
    checkClock(health),
    ...(await Promise.all(secrets.map((file) => checkSecret(file)))).flatMap((finding) => finding ?? []),
    ...((await checkDisk(data)) ?? []),
    ...(await Promise.all(health.status.nodes.map((node) => checkPort(node)))),
  ];
}

function checkVersion({ status }: ClusterHealth): Finding {
  if (status.version === programVersion) {
    return { name: "version", verdict: "good", message: `this program and the server are ${programVersion}` };
  }
  const message = `this program is ${programVersion}, the server ${status.version}`;
  return { name: "version", verdict: "attention", message, hint: "use the same version on both sides" };
}

/** The freshest evidence of the server is of just now by its clock. */
function checkClock({ claims }: ClusterHealth): Finding {
  const serverNow = Math.max(...claims.map(({ asOf }) => asOf));
  const skewMs = Math.abs(Date.now() - serverNow);
  const message = `this machine's clock and the server's are ${formatDuration(skewMs)} apart`;
  if (skewMs <= clockSkewMsMax) return { name: "clock-here", verdict: "good", message };
  return { name: "clock-here", verdict: "bad", message, hint: "set the clocks by NTP: tokens end by the clock" };
}

async function checkSecret(file: string): Promise<Finding | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (!found || process.platform === "win32") return undefined;
  const mode = (found.mode & 0o777).toString(8);
  if ((found.mode & 0o077) === 0) return { name: "permissions", verdict: "good", message: `${file} is ${mode}` };
  const message = `${file} can be read by others (${mode})`;
  return { name: "permissions", verdict: "bad", message, hint: `chmod 600 ${file}` };
}

async function checkDisk(folder: string): Promise<readonly Finding[] | undefined> {
  const space = await statfs(folder).catch(() => undefined);
  if (!space) return undefined;
  const free = space.bavail * space.bsize;
  const share = space.blocks === 0 ? 1 : space.bavail / space.blocks;
  const message = `${formatBytes(free)} are free where ${folder} lies`;
  if (share >= freeShareMin) return [{ name: "disk-here", verdict: "good", message }];
  return [{ name: "disk-here", verdict: "attention", message, hint: "free some space on this machine" }];
}

/** Bytes go straight to the nodes when they can be reached from here, else through the gateway. */
async function checkPort({ node, url, health }: NodeStatus): Promise<Finding> {
  const name = `port-${node}`;
  if (health !== "online") return { name, verdict: "attention", message: `${node} is ${health}: not tried` };
  const reached = URL.canParse(url) && (await canConnect(new URL(url)));
  if (reached) return { name, verdict: "good", message: `${node} is reached at ${url}` };
  const message = `${node} is not reached at ${url} from here; bytes take the way through the gateway`;
  return {
    name,
    verdict: "attention",
    message,
    hint: "open that port for this machine, or start the node with --advertise",
  };
}

function canConnect({ hostname, port, protocol }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, "");
    const socket = connect({ host, port: Number(port) || (protocol === "https:" ? 443 : 80) });
    const end = (reached: boolean): void => {
      socket.destroy();
      resolve(reached);
    };
    socket.setTimeout(connectMs, () => end(false));
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
