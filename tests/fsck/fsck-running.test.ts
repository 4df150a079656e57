import { join } from "node:path";
import { CairnClient } from "@cairn/client";
import { checkCluster, foldersBelow } from "@cairn/fsck";
import { expect, test } from "vitest";
import { CairnCommand } from "../cli/cairn-command.ts";
import { MiB, seededBytes } from "../support/content.ts";
import { TestCluster, temporaryFolder } from "../support/processes.ts";
import { StoredCluster } from "./stored-cluster.ts";

test("beside a cluster that is written to, deleted from and collected, nothing looks wrong", {
  timeout: 120_000,
}, async () => {
  using folder = temporaryFolder();
  const data = join(folder.path, "cluster");
  const settings = ["collect.grace=0s", "collect.every=1s", "collect.orphans-every=1m"].flatMap((it) => ["--set", it]);
  await using cluster = await TestCluster.start(data, settings);
  await using client = new CairnClient(cluster.profile);
  let round = 0;
  let going = true;
  const load = Promise.all([0, 1, 2].map((worker) => write(worker)));
  async function write(worker: number): Promise<void> {
    for (; going; round++) {
      const name = `${worker}-${round % 7}`;
      const bytes = seededBytes(`${name} ${round}`, ((round * 7919) % 40) * 100_000 + 1);
      await client.upload({ bytes }, { name, onConflict: round % 2 === 0 ? "replace" : "version" });
      if (round % 5 === 0) await client.delete(`/${name}`, { permanent: true }).catch(() => undefined);
    }
  }
  const reports: string[] = [];
  while (round < 60) {
    const report = await checkCluster(foldersBelow(data), { secondLookMs: 200 });
    reports.push(...report.findings.filter(({ level }) => level !== "note").map(({ message }) => message));
  }
  going = false;
  await load;
  expect(reports).toEqual([]);
  expect(round).toBeGreaterThan(20);

  await cluster.kill("node-2");
  await cluster.kill("metadata");
  const cairn = new CairnCommand(join(folder.path, "home"), data);
  expect(await cairn.run(["fsck", "-q", "--deep"])).toMatchObject({ exitCode: 0, out: "", err: "" });
});

test("after kill -9 of everything the log beside the database is read, and nothing but its memory changes", {
  timeout: 90_000,
}, async () => {
  using folder = temporaryFolder();
  const data = join(folder.path, "cluster");
  await using cluster = await TestCluster.start(data);
  await using client = new CairnClient(cluster.profile);
  await client.upload({ bytes: seededBytes("kept", 3 * MiB) }, { name: "kept.bin" });
  for (const name of ["metadata", "node-1", "node-2", "node-3"]) await cluster.kill(name);
  using stored = new StoredCluster(data);
  const before = stored.fingerprint();
  expect(Object.keys(before)).toContain(join("metadata", "metadata.sqlite-wal"));
  const report = await stored.check({ depth: "hashes" });
  expect(report).toMatchObject({ verdict: "clean", scope: { versions: 1, references: 3 } });
  expect(stored.fingerprint()).toEqual(before);
});
