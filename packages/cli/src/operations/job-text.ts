import type { Job, RepairStatus } from "@cairn/protocol";
import { formatBytes, formatDuration, formatItems } from "../format.ts";

/** How far a job is, in one line: `drain node-2  62 % · 1.2 GiB of 1.9 GiB · 140 MiB/s · about 5 s left`. */
export function describeJob(job: Job): string {
  const parts = [`${job.kind} ${job.subject}  ${job.state === "running" ? `${percentOf(job)} %` : job.state}`];
  if (job.totalBytes > 0) parts.push(`${formatBytes(job.doneBytes)} of ${formatBytes(job.totalBytes)}`);
  if (job.state === "running") parts.push(...pace(job));
  if (job.message !== "") parts.push(job.message);
  return parts.join(" · ");
}

/** Never 100 before the end. */
export function percentOf({ doneBytes, totalBytes, doneItems, totalItems, state }: Job): number {
  if (state === "done") return 100;
  const share = totalBytes > 0 ? doneBytes / totalBytes : totalItems > 0 ? doneItems / totalItems : 0;
  return Math.min(99, Math.floor(share * 100));
}

/** What repair is doing, in one line. */
export function describeRepair(repair: RepairStatus): string {
  const parts: string[] = [`repair ${repair.state}`];
  if (repair.startsInMs !== undefined) parts.push(`starts in ${formatDuration(repair.startsInMs)}`);
  if (repair.chunksWaiting > 0) parts.push(`${formatItems(repair.chunksWaiting, "chunk")} to copy`);
  if (repair.totalBytes > 0) parts.push(`${formatBytes(repair.doneBytes)} of ${formatBytes(repair.totalBytes)}`);
  if (repair.state === "running") parts.push(...pace(repair));
  return [...parts, repair.reason].join(" · ");
}

function pace({ bytesPerSecond, etaMs }: Pick<Job, "bytesPerSecond" | "etaMs">): string[] {
  return [
    ...(bytesPerSecond > 0 ? [`${formatBytes(Math.round(bytesPerSecond))}/s`] : []),
    ...(etaMs === undefined ? [] : [`about ${formatDuration(etaMs)} left`]),
  ];
}
