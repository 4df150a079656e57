// A real local cluster for the benchmark, started as a user would start it.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cairn = fileURLToPath(new URL("../packages/cli/bin/cairn.js", import.meta.url));

/** Starts a cluster under `folder` and hands { url, token, pids } to `work`; stops it afterwards. */
export async function withCluster({ folder, nodes = 3, copies = 2 }, work) {
  const args = [cairn, "start", "--data", folder, "--port", "0", "--nodes", String(nodes), "--copies", String(copies)];
  const supervisor = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, XDG_CONFIG_HOME: join(folder, "config"), NO_COLOR: "1" },
  });
  const gone = new Promise((resolve) => supervisor.once("exit", resolve));
  try {
    await ready(supervisor);
    const profile = JSON.parse(readFileSync(join(folder, "client.json"), "utf8"));
    return await work({ url: profile.url, token: profile.token, pids: await pidsOf(folder, supervisor.pid) });
  } finally {
    supervisor.kill("SIGTERM");
    await gone;
  }
}

/** Ends when a supervisor says that its cluster is ready; throws what it said when it ends before. */
export function ready(supervisor) {
  return new Promise((resolve, reject) => {
    let text = "";
    supervisor.stdout.on("data", (piece) => {
      text += piece;
      if (/ready/i.test(text)) resolve();
    });
    supervisor.once("exit", (code) => reject(new Error(`the cluster ended with ${code}: ${text}`)));
  });
}

async function pidsOf(folder, supervisor) {
  const control = JSON.parse(readFileSync(join(folder, "run", "supervisor.json"), "utf8"));
  const reply = await fetch(new URL("/status", control.url), {
    headers: { authorization: `Bearer ${control.secret}` },
  });
  const { processes } = await reply.json();
  return { client: process.pid, supervisor, ...Object.fromEntries(processes.map(({ name, pid }) => [name, pid])) };
}
