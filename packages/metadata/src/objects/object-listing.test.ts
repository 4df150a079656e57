import { compareBytes, type ObjectPage, utf8 } from "@cairn/protocol";
import { SeededRandom } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import { TestMetadata } from "../sql/testing/test-metadata.ts";
import { listObjects } from "./object-listing.ts";

interface Asked {
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly after?: string;
  readonly size?: number;
}

function page(metadata: TestMetadata, asked: Asked): Promise<ObjectPage> {
  return listObjects(metadata.store, metadata.drive.id, { prefix: "", delimiter: "", after: "", size: 1000, ...asked });
}

/** What the pages together tell, objects and common prefixes in the order in which they came. */
async function all(metadata: TestMetadata, asked: Asked): Promise<string[]> {
  const told: string[] = [];
  for (let after: string | undefined = asked.after ?? ""; after !== undefined; ) {
    const { objects, prefixes, next } = await page(metadata, { ...asked, after });
    const items = [...objects.map(({ key }) => key), ...prefixes.map((prefix) => `${prefix} …`)];
    expect(items.length).toBeLessThanOrEqual(asked.size ?? 1000);
    told.push(...items.sort((a, b) => byBytes(plain(a), plain(b))));
    if (next !== undefined) expect(items.length).toBeGreaterThan(0);
    after = next;
  }
  return told;
}

const plain = (item: string): string => item.replace(/ …$/, "");
const byBytes = (a: string, b: string): number => compareBytes(utf8(a), utf8(b));

/** The same from a sorted list of keys, as the documentation of ListObjectsV2 says it. */
function model(keys: readonly string[], { prefix = "", delimiter = "", after = "" }: Asked): string[] {
  const told: string[] = [];
  for (const key of [...keys].sort(byBytes)) {
    if (!key.startsWith(prefix)) continue;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const common = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
    if (byBytes(common ?? key, after) <= 0 && !(common !== undefined && byBytes(key, after) > 0 && common !== after)) {
      continue;
    }
    const item = common === undefined ? key : `${common} …`;
    if (told.at(-1) !== item) told.push(item);
  }
  return told;
}

async function withKeys(keys: readonly string[]): Promise<TestMetadata> {
  const metadata = await TestMetadata.open();
  for (const [index, key] of keys.entries()) await metadata.file("", [index % 7], { key });
  return metadata;
}

test("a file and a folder of one name stand side by side, and empty names are names", async () => {
  const keys = ["a", "a/b", "a//b", "a/", "/a", "//", "a-b", "a.b", "ä", "a/b/c", "𝒳", "￮", "..", "./x", "x/../y"];
  await using metadata = await withKeys(keys);
  expect(await all(metadata, {})).toEqual([...keys].sort(byBytes));
  expect(await all(metadata, { delimiter: "/" })).toEqual(model(keys, { delimiter: "/" }));
  expect(await all(metadata, { delimiter: "/", prefix: "a/" })).toEqual(["a/", "a// …", "a/b", "a/b/ …"]);
  expect(await all(metadata, { size: 1 })).toEqual([...keys].sort(byBytes));
});

test("a listed object has what a read of it would tell", async () => {
  await using metadata = await TestMetadata.open();
  const attributes = { tag: "0123456789abcdef0123456789abcdef", metadata: { one: "1" } };
  const written = await metadata.file("", [1, 2], { key: "deep/file", attributes, contentType: "text/plain" });
  const other = await metadata.file("plain", [3]);
  const { objects } = await page(metadata, {});
  expect(objects).toEqual([
    {
      ...{ key: "deep/file", version: written.version, size: written.size },
      ...{ modifiedAt: written.modifiedAt, tag: attributes.tag },
    },
    {
      ...{ key: "plain", version: other.version, size: other.size, modifiedAt: other.modifiedAt },
      tag: `${other.etag?.slice(7, 39)}-1`,
    },
  ]);
  const plan = await metadata.planner.plan({ drive: metadata.drive.id, key: "deep/file" }, undefined, 0);
  expect(plan.attributes).toEqual(attributes);
  expect(plan.entry).toMatchObject({ id: written.id, tag: attributes.tag, contentType: "text/plain" });
});

test("a folder without objects is no prefix", async () => {
  await using metadata = await TestMetadata.open();
  await metadata.folder("/empty");
  await metadata.file("", [1], { key: "full/a" });
  expect(await all(metadata, { delimiter: "/" })).toEqual(["full/ …"]);
});

describe("any keys, prefixes, delimiters and places to go on from", () => {
  test.each([1, 2, 3, 4, 5, 6])("are listed as the model says: seed %i", async (seed) => {
    const random = new SeededRandom(seed);
    const letters = ["a", "b", "/", "/", "-", ".", "0", "ä", "𝒳", "%"];
    const word = (max: number): string =>
      Array.from({ length: 1 + random.integer(max) }, () => letters[random.integer(letters.length)]).join("");
    const keys = [...new Set(Array.from({ length: 60 }, () => word(6)))];
    await using metadata = await withKeys(keys);
    for (let round = 0; round < 150; round++) {
      const asked = {
        prefix: random.integer(2) === 0 ? "" : word(3),
        delimiter: ["", "/", "/", "a", "//", "-"][random.integer(6)] ?? "",
        after: random.integer(2) === 0 ? "" : (keys[random.integer(keys.length)] ?? ""),
        size: 1 + random.integer(5),
      };
      expect(await all(metadata, asked), JSON.stringify({ seed, ...asked })).toEqual(model(keys, asked));
    }
  });
});
