// Where and with what a run was made.
import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";

export { MiB, median, round } from "./measure.mjs";

export function describeRun() {
  return {
    at: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    machine: {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      platform: `${process.platform}-${process.arch}`,
    },
  };
}

function commit() {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
