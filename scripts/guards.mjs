// npm run guards [-- NAME …]: takes each safety guard out of a copy of the tree, one at a time, and runs the tests that
// watch over it. A guard whose removal no test notices is a failure. The tree itself is not touched.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareTools, root } from "./prepare.mjs";
import { s3Guards } from "./s3-guards.mjs";

const engine = "packages/storage-node/src/engine";
const service = "packages/storage-node/src/service";
const metadata = "packages/metadata/src";

/** `cut` stands exactly once in `file` and is replaced by `by`. */
const guards = [
  {
    name: "sync of appended records",
    file: `${engine}/segment-writer.ts`,
    cut: "    await this.#file.syncData();\n",
    by: "",
    tests: engine,
  },
  {
    name: "sync of the folder of a new segment",
    file: `${engine}/segment-writer.ts`,
    cut: "      await disk.syncFolder(place.folder);\n",
    by: "",
    tests: engine,
  },
  {
    name: "SHA-256 before the append",
    file: `${engine}/disk-engine.ts`,
    cut: "const actual = await this.#parts.hasher.sha256(bytes);",
    by: "const actual = hash;",
    tests: `${engine}/disk-engine.test.ts ${engine}/upkeep.test.ts`,
  },
  {
    name: "epoch of a group",
    file: `${engine}/group-store.ts`,
    cut: "if (epoch < current)",
    by: "if (epoch < 0)",
    tests: `${engine}/disk-engine.test.ts`,
  },
  {
    name: "CRC of each block that is read",
    file: `${engine}/record-read.ts`,
    cut: "!== crc)",
    by: "< 0)",
    tests: engine,
  },
  {
    name: "generation of a delete",
    file: `${engine}/group-store.ts`,
    cut: "    const location = await this.#records.locate(hash, generation);\n",
    by: "    const location = await this.#records.find(id);\n    if (location) generation = location.generation;\n",
    tests: `${engine}/disk-engine.test.ts`,
  },
  {
    name: "compaction drops nothing before its trash time is over",
    file: `${engine}/group-compaction.ts`,
    cut: "return tombstone !== undefined && deletedAt(tombstone) <= until;",
    by: "return tombstone !== undefined;",
    tests: `${engine}/compaction.test.ts`,
  },
  {
    name: "compaction leaves a damaged segment alone",
    file: `${engine}/group-compaction.ts`,
    cut: "return records.isDamaged(segment) ? undefined : appender.endedBytes(segment);",
    by: "return appender.endedBytes(segment);",
    tests: `${engine}/compaction.test.ts`,
  },
  {
    name: "compaction checks what it copies",
    file: `${engine}/segment-rewrite.ts`,
    cut: "return footerMatches(record, header) && payloadIsSound(record, header, crc32c);",
    by: "return crc32c !== undefined;",
    tests: `${engine}/compaction.test.ts`,
  },
  {
    name: "compaction syncs a segment before it takes its place",
    file: `${engine}/segment-rewrite.ts`,
    cut: '      crashPoint("engine.compact.before-sync");\n      await target.syncData();\n',
    by: '      crashPoint("engine.compact.before-sync");\n',
    tests: `${engine}/upkeep-faults.test.ts`,
  },
  {
    name: "compaction syncs the name of a segment before its end is noted",
    file: `${engine}/group-compaction.ts`,
    cut: "          await this.#parts.disk.syncFolder(folder);\n",
    by: "",
    tests: `${engine}/upkeep-faults.test.ts`,
  },
  {
    name: "the end of a segment whose name may not last is not noted",
    file: `${engine}/group-compaction.ts`,
    cut: "appender.replaced(segment, { bytes: rewritten.bytes, lasting });",
    by: "appender.replaced(segment, { bytes: rewritten.bytes, lasting: lasting || true });",
    tests: `${engine}/upkeep-faults.test.ts`,
  },
  {
    name: "nobody reads a segment while another takes its place",
    file: `${engine}/group-compaction.ts`,
    cut: "await records.gate.switch(async () => {",
    by: "await (async (work) => work())(async () => {",
    tests: `${engine}/compaction.test.ts ${engine}/upkeep-races.test.ts`,
  },
  {
    name: "a deleted generation comes back by no write and no copy",
    file: `${engine}/group-store.ts`,
    cut: '    if (this.#records.isDeletedGeneration(hash, generation)) {\n      return refuse("stale"',
    by: '    if (epoch < 0) {\n      return refuse("stale"',
    tests: `${engine}/upkeep.test.ts`,
  },
  {
    name: "a dropped group goes to the trash",
    file: `${engine}/open-groups.ts`,
    cut: "await this.#trash.take(id);",
    by: "await this.#parts.disk.removeFolder('g/' + id);",
    tests: `${engine}/upkeep.test.ts`,
  },
  {
    name: "a group that is being dropped takes nothing more",
    file: `${engine}/group-store.ts`,
    cut: '    if (this.#closed) return refuse("unavailable", this.id, "the group is being closed");\n    if ((this',
    by: "    if ((this",
    tests: `${engine}/upkeep-races.test.ts`,
  },
  {
    name: "the scrub sets aside what it finds damaged",
    file: `${engine}/record-scrub.ts`,
    cut: "    await setAside(entry, why);\n",
    by: "",
    tests: `${engine}/upkeep.test.ts`,
  },
  {
    name: "a copy is checked against its id before it is taken in",
    file: `${service}/copy-fetch.ts`,
    cut: "compareBytes(await this.#hasher.sha256(answer.value), hashOfChunkId(id)) === 0;",
    by: "compareBytes(answer.value, answer.value) === 0;",
    tests: `${service}/copy-intake.test.ts`,
  },
  {
    name: "an order that was stopped does not call a chunk missing",
    file: `${service}/copy-fetch.ts`,
    cut: "    if (signal.aborted) for (const quest of quests) quest.unanswered ??= stopped();\n",
    by: "",
    tests: `${service}/copy-intake.test.ts`,
  },
  {
    name: "orders that wait are stopped before a group is dropped",
    file: `${service}/order-lanes.ts`,
    cut: "const stopped = [...this.#orders].filter(which);",
    by: "const stopped = [...this.#orders].filter((it) => it.runs && which(it));",
    tests: `${service}/copy-intake.test.ts`,
  },
  {
    name: "a group counts as verified when it was read to its end",
    file: `${service}/scrub-loop.ts`,
    cut: "if (read.cursor !== undefined) return",
    by: "if (read.cursor !== undefined && read.bytes < 0) return",
    tests: `${service}/scrub-loop.test.ts`,
  },
  {
    name: "lease must be open",
    file: `${metadata}/lease/write-leases.ts`,
    cut: 'if (row.state !== 0) return "is closed";',
    by: "",
    tests: metadata,
  },
  {
    name: "receipts must be genuine",
    file: `${metadata}/lease/receipt-verifier.ts`,
    cut: "if (!mac || !receiptIsGenuine(claims, receipt, mac))",
    by: "if (!mac)",
    tests: metadata,
  },
  {
    name: "only what nobody needs is condemned",
    file: `${metadata}/commit/condemn.ts`,
    // Twice in one statement: the second counts where transactions run side by side.
    cut: "WHERE hash IN (SELECT hash FROM chunk WHERE refs = 0 AND state = 0 AND zero_at < ? ORDER BY zero_at LIMIT ?)\n         AND refs = 0 AND state = 0 ",
    by: "WHERE hash IN (SELECT hash FROM chunk WHERE zero_at < ? ORDER BY zero_at LIMIT ?)\n         ",
    tests: metadata,
  },
  {
    name: "overtaken leaders are refused",
    file: "packages/storage-node/src/service/command-fence.ts",
    cut: "if (isBelow(leader, this.#highest))",
    by: "if (false)",
    tests: "packages/storage-node",
  },
  {
    name: "tokens are checked",
    file: "packages/protocol/src/token.ts",
    cut: "if (!equalConstantTime(given,",
    by: "if (!given.length && !equalConstantTime(given,",
    tests: "packages/protocol packages/storage-node",
  },
  {
    name: "a reader checks each chunk against its id",
    file: "packages/drive/src/read/chunk-verify.ts",
    cut: "!== chunk.id",
    by: ".length === 0",
    tests: "packages/drive",
  },
  {
    name: "a condemned write is forgotten only when its lease is closed",
    file: `${metadata}/collection/condemned-deletion.ts`,
    cut: "if (lease === undefined || !closed.has(lease)) {",
    by: "if (lease === undefined) {",
    tests: `${metadata}/collection`,
  },
  {
    name: "all members acknowledge a delete",
    file: `${metadata}/collection/group-members.ts`,
    cut: "if (answers.every((outcomes) => outcomes[index]?.ok))",
    by: "if (answers.some((outcomes) => outcomes[index]?.ok))",
    tests: `${metadata}/collection`,
  },
  {
    name: "only left-overs of closed leases are orphans",
    file: `${metadata}/collection/reconcile/orphans.ts`,
    cut: "else if (closed.has(leaseOfGeneration(stray.generation)))",
    by: "else if (closed.size >= 0)",
    tests: `${metadata}/collection`,
  },
  {
    name: "what a row names is no orphan",
    file: `${metadata}/collection/reconcile/orphans.ts`,
    cut: "else if (named.has(key)) verdict.named.push(stray);\n",
    by: "",
    tests: `${metadata}/collection`,
  },
  {
    name: "an inventory must add up before something counts as missing",
    file: `${metadata}/collection/reconcile/reconciler.ts`,
    cut: "const missing = whole && act ?",
    by: "const missing = act ?",
    tests: `${metadata}/collection`,
  },
  {
    name: "a leader that was overtaken collects nothing",
    file: `${metadata}/collection/collection-gate.ts`,
    cut: "    await this.#world.core.leader.assertHeld(sql);\n",
    by: "",
    tests: `${metadata}/collection`,
  },
  {
    name: "safe mode and no-delete mode stop the collection",
    file: `${metadata}/collection/collection-gate.ts`,
    cut: "    if (reason === undefined) return;\n",
    by: "    if (reason === undefined || reason) return;\n",
    tests: `${metadata}/collection`,
  },
  {
    name: "two audits agree before references are lowered",
    file: `${metadata}/collection/audit/reference-audit.ts`,
    cut: "before.get(toHex(one.hash)) === agreementOf(one)",
    by: "true",
    tests: `${metadata}/collection`,
  },
  {
    name: "a disk that left its group since is no copy",
    file: `${metadata}/lease/receipt-verifier.ts`,
    cut: "  if (held.size >= needed) return;",
    by: "  if (held.size >= 0) return;",
    tests: `${metadata}/lease`,
  },
  {
    name: "lifecycle rules are held against an object in the transaction that removes it",
    file: `${metadata}/lifecycle/object-expiry.ts`,
    cut: "of await dueOf(tx.sql, batch, current)",
    by: "of batch",
    tests: `${metadata}/lifecycle/lifecycle.test.ts`,
  },
  {
    name: "a lifecycle rule removes the version that it was held against, and no newer one",
    file: `${metadata}/lifecycle/object-expiry.ts`,
    cut: "if (!file?.current_version || compareBytes(file.current_version, bytesOfId(version)) !== 0) continue;",
    by: "if (!file) continue;",
    tests: `${metadata}/lifecycle/lifecycle.test.ts`,
  },
  {
    name: "an event stays until its post was answered",
    file: `${metadata}/notification/deliveries.ts`,
    cut: "      if (refused !== undefined) {",
    by: "      if (refused !== undefined && rows.length === 0) {",
    tests: `${metadata}/notification/notification.test.ts`,
  },
  ...s3Guards,
];

prepareTools();
const wanted = process.argv.slice(2);
const copy = mkdtempSync(join(tmpdir(), "cairn-guards-"));
let unnoticed = 0;
try {
  makeCopy();
  for (const guard of guards.filter(({ name }) => wanted.length === 0 || wanted.some((word) => name.includes(word)))) {
    const verdict = withoutGuard(guard);
    if (!verdict.noticed) unnoticed++;
    console.log(`${verdict.noticed ? "red  " : "GREEN"}  without: ${guard.name}  (${verdict.summary})`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(
  unnoticed === 0 ? "every guard is watched over" : `${unnoticed} guards could be removed without a test noticing`,
);
process.exitCode = unnoticed === 0 ? 0 : 1;

function makeCopy() {
  for (const name of ["packages", "vitest.config.ts", "package.json", "tsconfig", "tests"]) {
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      filter: (source) => !/[\\/](dist|node_modules)$/.test(source),
    });
  }
  mkdirSync(join(copy, "node_modules", "@cairn"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@cairn") symlinkSync(join(root, "node_modules", name), join(copy, "node_modules", name), "junction");
  }
  for (const name of readdirSync(join(copy, "packages"))) {
    symlinkSync(join(copy, "packages", name), join(copy, "node_modules", "@cairn", name), "junction");
  }
}

function withoutGuard({ name, file, cut, by, tests }) {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  if (text.split(cut).length !== 2) throw new Error(`the guard "${name}" is not where it was: ${file}`);
  writeFileSync(
    path,
    text.replace(cut, () => by),
  );
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--reporter=json", "--bail=1", ...tests.split(" ")];
  const { stdout, status } = spawnSync(process.execPath, args, {
    cwd: copy,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    timeout: 300_000,
  });
  writeFileSync(path, text);
  const report = JSON.parse(stdout.slice(stdout.indexOf("{")) || "{}");
  const first = (report.testResults ?? []).flatMap((it) => it.assertionResults).find((it) => it.status === "failed");
  return { noticed: status !== 0 && first !== undefined, summary: first ? first.fullName : "all tests passed" };
}
