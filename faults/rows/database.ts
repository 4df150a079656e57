import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { flipBits } from "../harness/segment-files.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import { faketimeLibrary } from "../run/capabilities.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";
import { endsOrServes } from "./identity.ts";

/** Pages of the database are damaged; then the index of its log is deleted after kill -9. */
async function damagedDatabase(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster).start();
  await workload.more(100);
  await cluster.metadata.kill();
  const file = join(cluster.placeOf("metadata"), "metadata", "metadata.sqlite");
  if (existsSync(`${file}-shm`)) rmSync(`${file}-shm`);
  await cluster.metadata.start();
  await cluster.online();
  await workload.more(20);
  await workload.stop();
  await cluster.metadata.stop();

  const copy = join(context.folder, "sound.sqlite");
  copyFileSync(file, copy);
  const pageBytes = readFileSync(file).readUInt16BE(16);
  const pages = Math.floor(statSync(file).size / pageBytes);
  context.note("pages", pages);
  let refused = 0;
  const tries = 6;
  for (let turn = 0; turn < tries; turn++) {
    // The head of a page: an interior or leaf page whose structure no longer holds.
    const page = turn === 0 ? 0 : context.between(1, pages);
    const at = page * pageBytes + (page === 0 ? 24 : 0);
    for (let byte = 0; byte < 12; byte++) flipBits(file, at + byte, context.between(0, 8));
    cluster.metadata.launch();
    const code = await endsOrServes(context, cluster.metadata);
    if (code === undefined) await cluster.metadata.stop();
    else refused++;
    if (code !== undefined && turn === 1) context.note("it says", cluster.metadata.lastOutput.trim().slice(0, 200));
    for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
    copyFileSync(copy, file);
  }
  context.note("starts refused", `${refused} of ${tries}`);
  context.expect(
    "expected",
    refused === tries,
    `${tries - refused} of ${tries} starts with a damaged page were not refused`,
  );
  await cluster.metadata.start();
  await cluster.online();
  await judgeAll(context, cluster, { workload });
}

/** The wall clocks of single processes jump by hours and years, forth and back. */
async function clockJumps(context: RowContext): Promise<void> {
  const fileOf = (name: string): string => join(context.folder, `time-${name}`);
  for (const name of ["metadata", "node-1", "node-2", "node-3"]) writeFileSync(fileOf(name), "+0\n");
  const cluster = await FaultCluster.start(context, {
    environmentOf: (name) => ({
      LD_PRELOAD: faketimeLibrary,
      FAKETIME_TIMESTAMP_FILE: fileOf(name),
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    }),
    settings: { "collect.grace": "1h", "collect.trash": "1h", "repair.delay": "1h", "repair.delay-single": "1h" },
  });
  const workload = await new Workload(context, cluster, { deletes: 0.2 }).start();
  await workload.more(30);
  const jumps: readonly (readonly [string, string])[] = [
    ["node-2", "+3600"],
    ["node-3", "-86400"],
    ["node-1", "+31536000"],
    ["node-1", "+0"],
    ["node-2", "+0"],
    ["node-3", "+0"],
    ["metadata", "+3600"],
    ["metadata", "-86400"],
    ["metadata", "+31536000"],
    ["metadata", "+0"],
  ];
  for (const [name, offset] of jumps) {
    writeFileSync(fileOf(name), `${offset}\n`);
    const before = workload.errors.length;
    await context.pause(4000);
    context.log(`${name} ${offset}: ${workload.errors.length - before} failures; ${workload.counts.ok} acknowledged`);
  }
  await cluster.online();
  context.note("jumps", jumps.length);
  await workload.more(20);
  await judgeAll(context, cluster, { workload, failuresMax: 1 });
}

export const databaseRows: readonly Row[] = [
  {
    id: "F37",
    tier: 1,
    title: "damaged pages of the metadata database; its -shm file deleted after kill -9",
    expected: "damage: it refuses to start and says what to do; a lost -shm is harmless",
    needs: [],
    run: damagedDatabase,
  },
  {
    id: "F38",
    tier: 1,
    title: "wall clocks of single processes jump by an hour, a day, a year, forth and back (faketime)",
    expected: "order, leases and graces do not depend on them; nothing is lost",
    needs: ["faketime"],
    run: clockJumps,
  },
];
