import type { Sql, SqlRow, SqlValue } from "@cairn/env";
import { newId } from "@cairn/protocol";
import type { Scenario } from "./scenario.ts";
import type { Scene } from "./scene.ts";

/** Failures of other systems around leaders and databases; docs/simulation.md names them by number. */

type Backup = ReadonlyMap<string, readonly SqlRow[]>;

async function backUp(scene: Scene): Promise<Backup> {
  return scene.world.metadata.database.read(async (sql) => {
    const backup = new Map<string, readonly SqlRow[]>();
    for (const table of await tablesOf(sql)) backup.set(table, await sql.all(`SELECT * FROM "${table}"`));
    return backup;
  });
}

/** The database as it was then, and whatever `more` changes in it. */
async function putBack(scene: Scene, backup: Backup, more: readonly string[]): Promise<void> {
  await scene.world.metadata.database.write(async (sql) => {
    await sql.run("PRAGMA defer_foreign_keys = ON");
    for (const table of await tablesOf(sql)) await sql.run(`DELETE FROM "${table}"`);
    for (const [table, rows] of backup) {
      for (const row of rows) {
        const names = Object.keys(row);
        const marks = names.map(() => "?").join(", ");
        const values = names.map((name) => row[name] as SqlValue);
        await sql.run(`INSERT INTO "${table}" (${names.join(", ")}) VALUES (${marks})`, ...values);
      }
    }
    for (const statement of more) await sql.run(statement);
  });
}

async function tablesOf(sql: Sql): Promise<string[]> {
  const rows = await sql.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'");
  return rows.map(({ name }) => name).filter((name) => !name.startsWith("sqlite_"));
}

async function restart(scene: Scene): Promise<void> {
  scene.world.metadata.kill();
  await scene.pass(5000);
}

/** Files before the backup, which are all that the database knows afterwards, and files after it. */
async function restore(scene: Scene, more: readonly string[]): Promise<void> {
  for (let file = 0; file < 6; file++) await scene.put(`before-${file}`);
  const backup = await backUp(scene);
  for (let file = 0; file < 6; file++) await scene.do(scene.others.put(`after-${file}`, scene.contents.draw(5)));
  for (const time of [1, 2, 3]) {
    await restart(scene);
    // Nodes hear of each leader by a command of it.
    await scene.pass(90_000 + time);
  }
  scene.world.metadata.kill();
  await putBack(scene, backup, more);
  scene.destroyed.length = 0;
  await scene.pass(900_000);
  for (let file = 0; file < 6; file++) await scene.do(scene.files.read(`before-${file}`));
  scene.must(scene.destroyed.length === 0, "nothing is destroyed");
}

const settingsOfRestore = { "collect.grace": 0, "safe-mode.time": 10_000 };

export const history: readonly Scenario[] = [
  {
    name: "9: after a restore that forbids deletes nothing goes that was committed since the backup",
    options: { seed: 31, settings: settingsOfRestore },
    unverified: true,
    tell: (scene) =>
      restore(scene, [
        "UPDATE cluster SET value = '2' WHERE name = 'incarnation'",
        "UPDATE cluster SET value = '1000' WHERE name = 'next_lease'",
        "INSERT INTO cluster (name, value) VALUES ('no_delete', 'restored')",
      ]),
  },
  {
    name: "9: a database that somebody put back by hand commands no node",
    options: { seed: 32, settings: settingsOfRestore },
    unverified: true,
    tell: (scene) => restore(scene, []),
  },
  {
    name: "8: commands of a leader that was overtaken arrive late, in the middle of the next one's, and harm nothing",
    options: { seed: 33, nodes: 5, settings: { "collect.grace": 0, "collect.every": 1000 } },
    async tell(scene) {
      Object.assign(scene.world.network.faults, { late: 0.3, duplicate: 0.3, lateMs: 60_000, delayMs: 10 });
      for (let round = 0; round < 16; round++) {
        await scene.do(scene.files.put(`file-${round % 5}`, scene.contents.draw(5)));
        if (round % 4 === 1) await scene.do(scene.files.remove(`file-${round % 5}`, "remove"));
        const operations = scene.world.metadata.opened?.operations;
        if (round % 3 === 0 && operations) {
          await scene.do(operations.applyChange({ kind: "rebalance" })).catch(() => undefined);
        }
        if (round % 2 === 0) scene.world.metadata.machine.life.freeze(20_000);
        else await restart(scene);
        await scene.pass(25_000);
      }
    },
  },
  {
    name: "12: a file that comes while its folder is removed is refused or removed with it, and never hangs nowhere",
    options: { seed: 34 },
    async tell(scene) {
      const [one, other] = scene.world.clients.map(({ parts }) => parts);
      if (!one || !other) throw new Error("a scene has two clients");
      let [refused, kept] = [0, 0];
      for (let round = 0; round < 40; round++) {
        const commit = () => newId("cm_", scene.world.timeline.now, scene.world.will.bytes(10));
        const path = `/folder-${round}`;
        const wish = { drive: scene.drive.id, path, parents: false };
        const folder = await scene.do(one.metadata.createFolder(commit(), wish));
        const target = { drive: scene.drive.id, parent: folder.id, name: "file", onConflict: "fail" as const };
        const writing = one.writer.write(target, { bytes: scene.contents.draw(2).bytes }).then(
          () => "written",
          () => "refused",
        );
        await scene.pass(scene.world.will.fraction() * 3);
        await scene.do(other.metadata.remove(commit(), folder.id));
        if ((await scene.do(writing)) === "refused") refused++;
        else kept++;
      }
      scene.must(Math.min(refused, kept) > 0, "some files are refused and some are kept");
    },
  },
  {
    name: "13: buffers that are used again while a node is slow change no byte of any file",
    options: { seed: 35 },
    async tell(scene) {
      for (let round = 0; round < 25; round++) {
        scene.node(1 + (round % 4)).machine.life.freeze(4000 + (round % 5) * 3000);
        await scene.do(scene.files.put(`file-${round}`, scene.contents.draw(6)));
        await scene.do(scene.others.read(`file-${round}`));
      }
    },
  },
];
