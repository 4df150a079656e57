import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { RowContext } from "../run/row-context.ts";
import { cairn } from "./cairn-process.ts";
import type { FaultCluster } from "./fault-cluster.ts";

const cleanMs = 90_000;

export interface FsckVerdict {
  /** 0 clean, 11 copies are missing, 10 damage or a contradiction. */
  readonly code: number;
  readonly said: string;
}

/** O4: the independent reader of database and segments finds nothing, after repair had its time. */
export async function fsck(context: RowContext, cluster: FaultCluster, limitMs: number = cleanMs): Promise<void> {
  let verdict: FsckVerdict = { code: -1, said: "" };
  const spent = await context.becomes(async () => {
    verdict = await askFsck(cluster);
    return verdict.code === 0;
  }, limitMs);
  context.expect("O4", verdict.code === 0, `cairn fsck ends with ${verdict.code}: ${verdict.said.slice(0, 500)}`);
  if (spent !== undefined && spent > 5000) context.note("fsck clean after ms", spent);
}

/** One pass of `cairn fsck` over the database and the disks, which may be in use. */
export function askFsck(cluster: FaultCluster, extra: readonly string[] = []): Promise<FsckVerdict> {
  const database = join(cluster.placeOf("metadata"), "metadata", "metadata.sqlite");
  const disks = cluster.nodes
    .map(({ name }) => cluster.diskOf(name))
    .filter((disk) => existsSync(join(disk, "disk.json")));
  const args = [cairn, "fsck", "--database", database, ...disks.flatMap((disk) => ["--disk", disk]), "-q", ...extra];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { encoding: "utf8", timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : -1) : 0;
      resolve({ code, said: `${stdout}${stderr}`.trim() });
    });
  });
}
