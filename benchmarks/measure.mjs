// Small instruments: time, parallel work, processor time and memory of processes.
import { readFileSync } from "node:fs";

export const MiB = 1024 * 1024;

/** Seconds that `work` takes. */
export async function seconds(work) {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

/** Calls `work` for 0 … count − 1 with at most `inFlight` under way. */
export async function inParallel(count, inFlight, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane));
}

/**
 * Seconds of processor time that a process has used, its peak memory in MiB, and what it holds now, its share of pages that
 * processes have in common counted as a share; undefined where there is no /proc.
 */
export function usageOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
      peakMiB: Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024),
      shareMiB: Math.round(Number(/Pss:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024),
    };
  } catch {
    return undefined;
  }
}

/** Runs `work` and tells, per named process, the processor seconds it cost and the peak memory so far. */
export async function withUsage(pids, work) {
  const before = mapValues(pids, usageOf);
  const result = await work();
  const usage = mapValues(pids, (pid, name) => {
    const now = usageOf(pid);
    const start = before[name];
    return now && start ? { ...now, cpuSeconds: round(now.cpuSeconds - start.cpuSeconds) } : undefined;
  });
  return { result, usage };
}

export function round(value, digits = 2) {
  return Number(value.toFixed(digits));
}

function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));
}

/** The middle one by value. */
export function median(items, rateOf) {
  return items.toSorted((a, b) => rateOf(a) - rateOf(b))[Math.floor(items.length / 2)];
}
