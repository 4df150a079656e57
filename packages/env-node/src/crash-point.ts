import type { CrashPoint } from "@cairn/env";

/**
 * Ends the process like a power cut at the place that CAIRN_CRASH_AT names (`name` or `name:n` for the n-th time it is
 * reached). Without the variable it does nothing.
 */
export function crashPointFromEnvironment(environment: Readonly<Record<string, string | undefined>>): CrashPoint {
  const [armed, times] = (environment["CAIRN_CRASH_AT"] ?? "").split(":");
  if (!armed) return () => undefined;
  let left = Number(times ?? 1);
  return (name) => {
    if (name !== armed || --left > 0) return;
    process.kill(process.pid, "SIGKILL");
    // The signal is on its way; nothing may happen before it arrives.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}
