import { compareBytes, type Entry, type EntryId, isKind, type OnConflict, utf8 } from "@cairn/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { type ModelAnswer, type ModelEntry, NamespaceModel } from "./testing/namespace-model.ts";

/** A step picks entries by number, so that every program fits every state. */
type Step =
  | { readonly does: "folder"; readonly at: number; readonly name: string }
  | { readonly does: "put"; readonly at: number; readonly name: string; content: number; onConflict: OnConflict }
  | {
      readonly does: "move";
      readonly at: number;
      readonly to: number;
      name: string;
      onConflict: "fail" | "rename" | "replace";
    }
  | { readonly does: "trash" | "remove"; readonly at: number }
  | { readonly does: "restore"; readonly at: number; readonly onConflict: "fail" | "rename" }
  | { readonly does: "empty" };

const at = fc.oneof(fc.constant(0), fc.nat({ max: 30 }), fc.nat({ max: 30 }));
const name = fc.constantFrom("a", "b", "a.x", "a (2)", "ä");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant("folder" as const), at, name }) },
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant("put" as const),
      at,
      name,
      content: fc.nat({ max: 4 }),
      onConflict: fc.constantFrom<OnConflict>("fail", "rename", "replace", "version"),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant("move" as const),
      at,
      to: at,
      name,
      onConflict: fc.constantFrom("fail" as const, "rename" as const, "replace" as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("trash" as const), at }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant("restore" as const),
      at,
      onConflict: fc.constantFrom("fail" as const, "rename" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("remove" as const), at }) },
  { weight: 1, arbitrary: fc.constant({ does: "empty" as const }) },
);

/** Runs a program on the model and on the real thing, step by step. */
class Twin {
  readonly model = new NamespaceModel();
  readonly ids = new Map<ModelEntry, EntryId>();
  readonly metadata: TestMetadata;

  constructor(metadata: TestMetadata) {
    this.metadata = metadata;
    this.ids.set(this.model.root, metadata.root);
  }

  async run(step: Step): Promise<void> {
    const { model, metadata } = this;
    if (step.does === "empty") {
      const before = metadata.cluster.clock.now() + 1;
      const removed = await metadata.namespace.emptyTrash(metadata.commitId(), metadata.drive.id, before);
      expect(removed).toBe(model.emptyTrash());
      return;
    }
    const entry = this.#pick(step.at);
    // The path is asked for before the model changes: the real call must name the same place.
    const path = model.path(entry);
    const toParent = step.does === "move" ? this.#pick(step.to) : entry;
    const answer = this.#onModel(step, entry, toParent);
    if (answer === undefined) return;
    await this.#compare(answer, () => this.#onReal(step, { entry, toParent, path }));
  }

  #pick(number: number): ModelEntry {
    return this.model.entries[number % this.model.entries.length] as ModelEntry;
  }

  #idOf(entry: ModelEntry): EntryId {
    return this.ids.get(entry) as EntryId;
  }

  #onModel(step: Exclude<Step, { does: "empty" }>, entry: ModelEntry, toParent: ModelEntry): ModelAnswer | undefined {
    const { model } = this;
    switch (step.does) {
      case "folder":
        // A path leads only to what can be reached from the root.
        if (entry.kind === "file" || model.isGone(entry) || model.inTrash(entry)) return undefined;
        return model.createFolder(entry, step.name);
      case "put":
        return model.put(entry, step.name, { content: String(step.content), onConflict: step.onConflict });
      case "move":
        return model.move(entry, { parent: toParent, name: step.name, onConflict: step.onConflict });
      case "trash":
        return model.trash(entry);
      case "restore":
        return model.restore(entry, step.onConflict);
      case "remove":
        return model.remove(entry);
    }
  }

  async #onReal(
    step: Exclude<Step, { does: "empty" }>,
    on: { entry: ModelEntry; toParent: ModelEntry; path: string },
  ): Promise<{ entry: Entry | undefined; changed: boolean }> {
    const { metadata } = this;
    const { namespace } = metadata;
    const id = this.#idOf(on.entry);
    const commit = metadata.commitId();
    switch (step.does) {
      case "folder": {
        const path = `${on.path === "/" ? "" : on.path}/${step.name}`;
        const made = await namespace.createFolder(commit, { drive: metadata.drive.id, path, parents: false });
        return { entry: made, changed: true };
      }
      case "put": {
        const { onConflict } = step;
        const chunks = [metadata.written(step.content)];
        return await metadata.commit(metadata.request(step.name, chunks, { parent: id, onConflict, commit }));
      }
      case "move": {
        const to = { parent: this.#idOf(on.toParent), name: step.name, onConflict: step.onConflict };
        return { entry: await namespace.move(commit, id, to), changed: true };
      }
      case "trash":
        return { entry: await namespace.trash(commit, id), changed: true };
      case "restore":
        return { entry: await namespace.restore(commit, id, step.onConflict), changed: true };
      case "remove":
        await namespace.remove(commit, id);
        return { entry: undefined, changed: true };
    }
  }

  async #compare(
    answer: ModelAnswer,
    call: () => Promise<{ entry: Entry | undefined; changed: boolean }>,
  ): Promise<void> {
    let result: { entry: Entry | undefined; changed: boolean };
    try {
      result = await call();
    } catch (error) {
      expect({ kind: isKind(error, "internal") ? String(error) : (error as { kind?: string }).kind }).toEqual({
        kind: "kind" in answer ? answer.kind : "success",
      });
      return;
    }
    expect("kind" in answer ? answer.kind : "success").toBe("success");
    if ("kind" in answer || !result.entry) return;
    const { entry } = answer;
    if (!this.ids.has(entry)) this.ids.set(entry, result.entry.id);
    expect(result.entry).toMatchObject({ id: this.ids.get(entry), name: entry.name, path: this.model.path(entry) });
    expect(result.changed).toBe(answer.changed);
  }

  /** Every folder lists what the model has, and what is gone is gone. */
  async check(): Promise<void> {
    const { model, metadata } = this;
    for (const entry of model.entries) {
      const id = this.#idOf(entry);
      const gone = model.isGoneFromTrash(entry);
      const found = await metadata.namespace.stat({ id }).catch(() => undefined);
      expect(found !== undefined, model.path(entry)).toBe(!gone);
      if (gone || !found) continue;
      expect(found.trashedAt !== undefined).toBe(model.inTrash(entry));
      if (entry.kind === "file") {
        const versions = await metadata.namespace.listVersions(id, {});
        expect(versions.items.length).toBe(entry.contents.length);
        const plan = await metadata.planner.plan({ id }, undefined, 0);
        const content = Number(entry.contents.at(-1));
        expect(plan.page.entries.map((chunk) => chunk.id)).toEqual([metadata.chunkId(content)]);
        continue;
      }
      const expected = model
        .children(entry)
        .map((child) => utf8(child.kind === "folder" ? `${child.name}/` : child.name))
        .sort(compareBytes)
        .map((bytes) => Buffer.from(bytes).toString());
      expect(await metadata.names(id)).toEqual(expected);
      expect(await metadata.namespace.countChildren(id)).toBe(expected.length);
    }
    const trash = await metadata.namespace.listTrash(metadata.drive.id, { size: 1000 });
    const trashed = model.entries.filter((entry) => entry.trashed && !model.isGoneFromTrash(entry));
    expect(trash.items.map((entry) => entry.id).sort()).toEqual(trashed.map((entry) => this.#idOf(entry)).sort());
  }
}

test("random programs do to the namespace what they do to the model, and all counts stay exact", async () => {
  let longest = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80, size: "max" }), async (program) => {
      await using metadata = await TestMetadata.open();
      const twin = new Twin(metadata);
      for (const next of program) await twin.run(next);
      await twin.check();
      await audit(metadata.store.database);
      await metadata.reclaim();
      await twin.check();
      await audit(metadata.store.database);
      longest = Math.max(longest, twin.model.entries.length);
    }),
    { numRuns: 100 },
  );
  // A model that never grew would agree with anything.
  expect(longest).toBeGreaterThan(15);
}, 120_000);
