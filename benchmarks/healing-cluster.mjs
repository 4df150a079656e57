// A local cluster whose processes are killed and brought back on purpose, and the counters its nodes give out.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ready } from "./cluster.mjs";

const cairn = fileURLToPath(new URL("../packages/cli/bin/cairn.js", import.meta.url));
const { CairnClient } = await import("@cairn/client");

class HealingCluster {
  #supervisor;
  #gone;

  /** Starts a cluster under `folder`; `settings` are thresholds by their names. */
  static async start({ folder, nodes = 3, copies = 2, settings = {} }) {
    const cluster = new HealingCluster();
    cluster.folder = folder;
    const sets = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    const shape = ["--nodes", String(nodes), "--copies", String(copies)];
    cluster.#supervisor = spawn(
      process.execPath,
      [cairn, "start", "--data", folder, "--port", "0", ...shape, ...sets],
      {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, XDG_CONFIG_HOME: join(folder, "config"), NO_COLOR: "1" },
      },
    );
    cluster.#gone = new Promise((resolve) => cluster.#supervisor.once("exit", resolve));
    await ready(cluster.#supervisor);
    const { url, token } = JSON.parse(readFileSync(join(folder, "client.json"), "utf8"));
    cluster.client = new CairnClient({ url, token });
    return cluster;
  }

  get operations() {
    return this.client.operations;
  }

  /** kill -9, and stays down. */
  kill(name) {
    return this.#control("POST", `/kill/${name}`);
  }

  /** Ends when the process says that it is ready. */
  revive(name) {
    return this.#control("POST", `/revive/${name}`);
  }

  async pidOf(name) {
    const { processes } = await this.#control("GET", "/status");
    return processes.find((process) => process.name === name).pid;
  }

  diskOf(name) {
    return join(this.folder, "nodes", name, "disk");
  }

  /** Sum of a counter over the nodes that can be reached. */
  async counter(name) {
    let sum = 0;
    const lines = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm");
    for (const { url } of await this.client.nodes()) {
      const text = await fetch(`${url}/metrics`).then(
        (reply) => reply.text(),
        () => "",
      );
      for (const [, value] of text.matchAll(lines)) sum += Number(value);
    }
    return sum;
  }

  async stop() {
    await this.client?.[Symbol.asyncDispose]();
    this.#supervisor.kill("SIGTERM");
    await this.#gone;
  }

  async #control(method, path) {
    const { url, secret } = JSON.parse(readFileSync(join(this.folder, "run", "supervisor.json"), "utf8"));
    const reply = await fetch(url + path, { method, headers: { authorization: `Bearer ${secret}` } });
    if (!reply.ok) throw new Error(await reply.text());
    return reply.json();
  }
}

/** Starts a cluster, hands it to `work` and stops it afterwards. */
export async function withHealingCluster(options, work) {
  const cluster = await HealingCluster.start(options);
  try {
    return await work(cluster);
  } finally {
    await cluster.stop();
  }
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again until the answer is true. */
export async function until(what, check, { limitMs = 600_000, everyMs = 100 } = {}) {
  const limit = performance.now() + limitMs;
  while (!(await check())) {
    if (performance.now() > limit) throw new Error(`did not come true: ${what}`);
    await pause(everyMs);
  }
}
