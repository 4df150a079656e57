import type { Clock, Hasher, Log, Random, Sql, SqlDatabase } from "@cairn/env";
import type { DriveTable } from "../namespace/drive-table.ts";
import { Tree } from "../namespace/tree.ts";
import type { Transaction } from "./transaction.ts";
import type { WriteQueue } from "./write-queue.ts";

/** What every part of the metadata works with. */
export interface Store {
  readonly database: SqlDatabase;
  readonly queue: WriteQueue;
  readonly drives: DriveTable;
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly log: Log;
}

const treeKey: unique symbol = Symbol("tree");

/** The folders that a write transaction has looked up so far, shared by its jobs. */
export function treeOf(store: Store, tx: Transaction): Tree {
  const known = tx.memory.get(treeKey);
  if (known instanceof Tree) return known;
  const tree = new Tree(tx.sql, store.drives);
  tx.memory.set(treeKey, tree);
  return tree;
}

/** Runs `work` on one snapshot with a tree of its own. */
export function readTree<Result>(store: Store, work: (tree: Tree, sql: Sql) => Promise<Result>): Promise<Result> {
  return store.database.read((sql) => work(new Tree(sql, store.drives), sql));
}
