import { runSeed } from "./run.ts";

const seed = Number(process.argv[2] ?? "1");
const seeds = Number(process.argv[3] ?? "1");
for (let at = seed; at < seed + seeds; at++) {
  const startedAt = performance.now();
  const report = await runSeed({ seed: at, ...(process.env["ECHO"] ? { echo: console.log } : {}) });
  const wall = Math.round(performance.now() - startedAt);
  console.log(
    at,
    report.violation?.message ?? "ok",
    report.operations,
    report.steps,
    report.virtualMs,
    `${wall} ms`,
    report.digest,
  );
  if (report.violation) console.log(report.lastLines.slice(-12).join("\n"), [...report.faults]);
}
