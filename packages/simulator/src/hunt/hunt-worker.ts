import { runSeed } from "../run.ts";
import type { SeedOrder, SeedResult } from "./hunt-messages.ts";

/** Runs the seeds that the parent process sends, one after the other; ends with the parent. */
export function serveSeeds(): void {
  process.on("message", (order: SeedOrder) => {
    runToResult(order).then(
      (result) => process.send?.(result),
      (error: Error) => {
        throw error;
      },
    );
  });
  process.on("disconnect", () => process.exit(0));
}

/** Runs a seed and tells it as one message. */
export async function runToResult({ seed, swarm }: SeedOrder, echo?: (line: string) => void): Promise<SeedResult> {
  const startedAt = performance.now();
  const { violation, faults, ...report } = await runSeed({ seed, swarm, echo });
  const wallMs = performance.now() - startedAt;
  return { ...report, violation: violation?.message, faults: [...faults], wallMs };
}
