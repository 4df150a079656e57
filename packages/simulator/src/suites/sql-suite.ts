import type { Sql, SqlDatabase, SqlValue } from "@cairn/env";
import { isKind, StorageError } from "@cairn/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** An empty database under test, and what puts it away; `done` may meet a database that is disposed of already. */
export interface SqlUnderTest {
  readonly database: SqlDatabase;
  done(): Promise<void>;
}

/** What every SqlDatabase does, whichever engine is behind it. */
export function describeSql(name: string, make: () => Promise<SqlUnderTest>): void {
  describe(name, () => {
    let made: SqlUnderTest;
    beforeEach(async () => {
      made = await make();
      await made.database.write((sql) =>
        sql.run("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB)"),
      );
    });
    afterEach(() => made.done());
    const database = (): SqlDatabase => made.database;

    describe("a transaction", () => describeTransactions(database));
    describe("transactions side by side", () => describeConcurrency(database));
    describe("values", () => describeValues(database));

    test("closing waits for what is under way, and serves nobody after that", async () => {
      let committed = false;
      const order: string[] = [];
      const write = database()
        .write(async (sql) => {
          await sql.run("INSERT INTO item (id) VALUES (1)");
          await turns(20);
          order.push("written");
        })
        .then(() => {
          committed = true;
        });
      const read = database().read(async (sql) => {
        await turns(20);
        await sql.all("SELECT * FROM item");
        order.push("read");
      });
      await database()[Symbol.asyncDispose]();
      await Promise.all([write, read]);
      expect(committed).toBe(true);
      expect(order.sort()).toEqual(["read", "written"]);
      expect(await failure(database().write((sql) => sql.run("DELETE FROM item")))).toBeInstanceOf(StorageError);
      expect(await failure(database().read((sql) => sql.all("SELECT 1")))).toBeInstanceOf(StorageError);
    });
  });
}

function describeTransactions(database: () => SqlDatabase): void {
  test("that ends well is kept, and its result is handed on", async () => {
    const changed = await database().write(async (sql) => {
      await insert(sql, 1, "a");
      await insert(sql, 2, "b");
      return sql.run("UPDATE item SET name = name || '!'");
    });
    expect(changed).toBe(2);
    expect(await names(database())).toEqual(["a!", "b!"]);
  });

  test("that throws leaves nothing behind and hands the very error on", async () => {
    await database().write((sql) => insert(sql, 1, "a"));
    const mine = new Error("mine");
    const error = await failure(
      database().write(async (sql) => {
        await insert(sql, 2, "b");
        await sql.run("DELETE FROM item WHERE id = 1");
        throw mine;
      }),
    );
    expect(error).toBe(mine);
    expect(await names(database())).toEqual(["a"]);
    await database().write((sql) => insert(sql, 2, "c"));
    expect(await names(database())).toEqual(["a", "c"]);
  });

  test("keeps the rest when a savepoint in it fails", async () => {
    await database().write(async (sql) => {
      await insert(sql, 1, "a");
      const conflict = await failure(
        sql.savepoint(async () => {
          await insert(sql, 2, "b");
          await insert(sql, 3, "a");
        }),
      );
      expect(isKind(conflict, "conflict")).toBe(true);
      expect(await sql.savepoint(() => insert(sql, 4, "d"))).toBe(1);
      await insert(sql, 5, "e");
    });
    expect(await names(database())).toEqual(["a", "d", "e"]);
  });

  test("undoes an outer savepoint with all that was kept inside it", async () => {
    await database().write(async (sql) => {
      const nest = async (depth: number): Promise<void> => {
        await insert(sql, depth, `depth ${depth}`);
        if (depth < 12) await sql.savepoint(() => nest(depth + 1));
        if (depth === 5) throw new Error("undo from here");
      };
      await sql.savepoint(() => nest(1)).catch(() => undefined);
      await insert(sql, 100, "last");
      const partly = async (depth: number): Promise<void> => {
        await insert(sql, 200 + depth, `second ${depth}`);
        if (depth === 11) throw new Error("the innermost fails");
        await sql.savepoint(() => partly(depth + 1)).catch(() => undefined);
      };
      await sql.savepoint(() => partly(1));
    });
    expect(await names(database())).toEqual([
      "last",
      ...Array.from({ length: 10 }, (_, index) => `second ${index + 1}`),
    ]);
  });

  test("that breaks a constraint fails with conflict and leaves nothing behind", async () => {
    await database().write((sql) => insert(sql, 1, "a"));
    const error = await failure(
      database().write(async (sql) => {
        await insert(sql, 2, "b");
        await insert(sql, 1, "c");
      }),
    );
    expect(isKind(error, "conflict")).toBe(true);
    expect(await names(database())).toEqual(["a"]);
  });

  test("with a statement that makes no sense fails with internal", async () => {
    expect(isKind(await failure(database().write((sql) => sql.run("NONSENSE"))), "internal")).toBe(true);
    expect(isKind(await failure(database().read((sql) => sql.all("SELECT * FROM none"))), "internal")).toBe(true);
    expect(await names(database())).toEqual([]);
  });
}

function describeConcurrency(database: () => SqlDatabase): void {
  test("writes take turns: none sees or loses what another is in the middle of", async () => {
    await database().write((sql) => insert(sql, 1, "0"));
    let inside = 0;
    const writes = Array.from({ length: 25 }, (_, index) =>
      database().write(async (sql) => {
        expect(++inside).toBe(1);
        const row = await sql.get<{ name: string }>("SELECT name FROM item WHERE id = 1");
        await turns(index % 5);
        await sql.run("UPDATE item SET name = ? WHERE id = 1", String(Number(row?.name) + 1));
        inside--;
      }),
    );
    await Promise.all(writes);
    expect(await names(database())).toEqual(["25"]);
  });

  test("a failed write does not hold up the next", async () => {
    const results = await Promise.allSettled([
      database().write((sql) => insert(sql, 1, "a")),
      database().write((sql) => insert(sql, 1, "again")),
      database().write((sql) => insert(sql, 2, "b")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await names(database())).toEqual(["a", "b"]);
  });

  test("a read never sees a change that is not committed", async () => {
    await database().write((sql) => insert(sql, 1, "a"));
    const seen: Promise<string[]>[] = [];
    const write = database().write(async (sql) => {
      await insert(sql, 2, "never");
      await sql.run("DELETE FROM item WHERE id = 1");
      seen.push(names(database()));
      await turns(30);
      seen.push(names(database()));
      await turns(30);
      throw new Error("roll back");
    });
    await failure(write);
    expect(await Promise.all(seen)).toEqual([["a"], ["a"]]);
  });

  test("a read looks at one moment, however long it takes", async () => {
    await database().write((sql) => insert(sql, 1, "a"));
    let write: Promise<unknown> = Promise.resolve();
    await database().read(async (sql) => {
      const count = async (): Promise<unknown> => sql.get("SELECT count(*) AS n FROM item");
      const before = await count();
      write = database().write((other) => insert(other, 2, "b"));
      await turns(30);
      expect(await count()).toEqual(before);
    });
    await write;
    expect(await names(database())).toEqual(["a", "b"]);
  });
}

function describeValues(database: () => SqlDatabase): void {
  const stored = async (value: SqlValue): Promise<unknown> =>
    database().write(async (sql) => {
      await sql.run("DELETE FROM item");
      await sql.run("INSERT INTO item (id, body) VALUES (1, ?)", value);
      return (await sql.get<{ body: unknown }>("SELECT body FROM item"))?.body;
    });

  test("integers come back exactly, up to 2^53", async () => {
    for (const value of [0, 1, -1, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]) {
      expect(await stored(value)).toBe(value);
    }
  });

  test("texts come back exactly, and are never taken for SQL", async () => {
    for (const value of ["", "'; DROP TABLE item; --", "ä😀\u0301", "a\nb", "?"])
      expect(await stored(value)).toBe(value);
  });

  test("blobs come back as bytes, only what the view shows, and null stays null", async () => {
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    const large = new Uint8Array(300_000).fill(171);
    for (const value of [all, all.subarray(100, 132), new Uint8Array(0), large]) {
      const back = await stored(value);
      expect(back).toBeInstanceOf(Uint8Array);
      expect(Buffer.from(back as Uint8Array).equals(value)).toBe(true);
    }
    expect(await stored(null)).toBeNull();
  });

  test("a row that is not there is undefined, and no rows are an empty list", async () => {
    await database().read(async (sql) => {
      expect(await sql.get("SELECT * FROM item WHERE id = ?", 1)).toBeUndefined();
      expect(await sql.all("SELECT * FROM item")).toEqual([]);
    });
    expect(await database().write((sql) => sql.run("DELETE FROM item WHERE id = ?", 1))).toBe(0);
  });
}

function insert(sql: Sql, id: number, name: string): Promise<number> {
  return sql.run("INSERT INTO item (id, name) VALUES (?, ?)", id, name);
}

async function names(database: SqlDatabase): Promise<string[]> {
  const rows = await database.read((sql) => sql.all<{ name: string }>("SELECT name FROM item ORDER BY id"));
  return rows.map(({ name }) => name);
}

/** Lets others run for some turns without ending the transaction. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
