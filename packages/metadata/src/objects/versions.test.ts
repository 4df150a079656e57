import { NodeHasher } from "@cairn/env-node";
import type { ListedVersion, VersionId } from "@cairn/protocol";
import { SeededRandom } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { audit } from "../sql/testing/audit.ts";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { AccessKeys } from "./access-keys.ts";
import { Objects } from "./objects.ts";

interface ModelVersion {
  readonly version: string;
  readonly marker: boolean;
}

/** Versions of each key, the newest first. */
type Model = Map<string, ModelVersion[]>;

const keys = ["a", "a/b", "a/b/c", "b", "b!", "é", "z//"];

function model(versions: Model): string[] {
  const told: string[] = [];
  for (const key of [...versions.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    for (const [index, { version, marker }] of (versions.get(key) ?? []).entries()) {
      told.push(`${key} ${version}${marker ? " marker" : ""}${index === 0 ? " *" : ""}`);
    }
  }
  return told;
}

const told = ({ key, version, marker, latest }: ListedVersion): string =>
  `${key} ${version}${marker ? " marker" : ""}${latest ? " *" : ""}`;

function objectsOf(metadata: TestMetadata): Objects {
  const { database, clock, random } = metadata.store;
  const signing = { cluster: "c0".repeat(16), tokenKey: new Uint8Array(32) };
  const keys = new AccessKeys({ database, clock, random, hasher: new NodeHasher(), keys: signing });
  return new Objects(metadata.store, { uploads: metadata.uploads, keys });
}

async function listed(metadata: TestMetadata, size: number): Promise<string[]> {
  const { drive } = metadata;
  const objects = objectsOf(metadata);
  const all: string[] = [];
  let from: { after: string; afterVersion?: VersionId | undefined } | undefined = { after: "" };
  while (from) {
    const page = await objects.listObjectVersions(drive.id, { prefix: "", delimiter: "", size, ...from });
    expect(page.versions.length).toBeLessThanOrEqual(size);
    all.push(...page.versions.map(told));
    from = page.next;
  }
  return all;
}

describe("versions of objects", () => {
  test.each([1, 2, 3, 4, 5, 6])(
    "are what a list of them says, whatever is written and deleted (seed %i)",
    async (seed) => {
      await using metadata = await TestMetadata.open();
      const { drive } = metadata;
      const objects = objectsOf(metadata);
      const random = new SeededRandom(seed);
      const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random.fraction() * items.length)] as Item;
      const versions: Model = new Map();
      const of = (key: string): ModelVersion[] => {
        const known = versions.get(key) ?? [];
        versions.set(key, known);
        return known;
      };
      for (let step = 0; step < 120; step++) {
        const key = pick(keys);
        const here = of(key);
        const does = random.fraction();
        if (does < 0.45) {
          const entry = await metadata.file("", [step % 200, step >> 7], { key });
          here.unshift({ version: entry.version ?? "", marker: false });
        } else if (does < 0.65) {
          const [outcome] = await objects.removeObjects(metadata.commitId(), drive.id, [{ key }]);
          const marker = outcome?.ok ? outcome.value.marker : undefined;
          expect(marker === undefined, `seed ${seed}, step ${step}`).toBe(
            here.length === 0 || here[0]?.marker === true,
          );
          if (marker !== undefined) here.unshift({ version: marker, marker: true });
        } else if (here.length > 0) {
          const victim = pick(here);
          const [outcome] = await objects.removeObjects(metadata.commitId(), drive.id, [
            { key, version: victim.version as VersionId },
          ]);
          expect(outcome?.ok && outcome.value.removed).toBe(true);
          here.splice(here.indexOf(victim), 1);
          // A marker that hides nothing is not kept.
          const kept = here.filter(({ marker }, index) => !marker || here[index + 1]?.marker === false);
          versions.set(key, kept);
        }
        await metadata.cluster.clock.advance(1);
      }
      for (const size of [1, 3, 1000]) expect(await listed(metadata, size), `seed ${seed}`).toEqual(model(versions));
      for (const [key, [newest]] of versions) {
        const found = await objects.findObjectVersion(drive.id, key);
        expect(found?.version, `seed ${seed}, key ${key}`).toBe(newest?.version);
      }
      await audit(metadata.store.database);
    },
  );
});
