import type { Bucket, ObjectService } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { type BucketDocument, BucketDocuments } from "./bucket-documents.ts";

const colour: BucketDocument<{ readonly is: string }> = { name: "colour" };

/** Documents as the metadata server keeps them, and how often it was asked. */
class Kept implements Pick<ObjectService, "bucketDocument" | "setBucketDocument"> {
  readonly documents = new Map<string, string>();
  asked = 0;
  failing = false;

  async bucketDocument(drive: string, name: string): Promise<string | undefined> {
    this.asked++;
    if (this.failing) throw new Error("away");
    return this.documents.get(`${drive} ${name}`);
  }

  async setBucketDocument(drive: string, name: string, body: string | null): Promise<void> {
    if (body === null) this.documents.delete(`${drive} ${name}`);
    else this.documents.set(`${drive} ${name}`, body);
  }
}

function made() {
  const [clock, kept] = [new VirtualClock(), new Kept()];
  const bucket = { drive: "d_1" } as unknown as Bucket;
  return { clock, kept, bucket, documents: new BucketDocuments(clock, kept) };
}

test("a document is asked for once a second, and its absence too", async () => {
  const { clock, kept, bucket, documents } = made();
  for (let i = 0; i < 5; i++) expect(await documents.read(bucket, colour)).toBeUndefined();
  expect(kept.asked).toBe(1);
  kept.documents.set("d_1 colour", '{"is":"red"}');
  await clock.advance(1000);
  for (let i = 0; i < 5; i++) expect(await documents.read(bucket, colour)).toEqual({ is: "red" });
  expect(kept.asked).toBe(2);
});

test("a change of one's own is seen at once", async () => {
  const { bucket, documents } = made();
  await documents.read(bucket, colour);
  await documents.keep(bucket, colour, { is: "blue" });
  expect(await documents.read(bucket, colour)).toEqual({ is: "blue" });
  await documents.keep(bucket, colour, undefined);
  expect(await documents.read(bucket, colour)).toBeUndefined();
});

test("a failure is told and not remembered", async () => {
  const { kept, bucket, documents } = made();
  kept.failing = true;
  await expect(documents.read(bucket, colour)).rejects.toThrow("away");
  kept.failing = false;
  expect(await documents.read(bucket, colour)).toBeUndefined();
});

test("large documents of many buckets are not all remembered", async () => {
  const { kept, documents } = made();
  const buckets = Array.from({ length: 20 }, (_, index) => ({ drive: `d_${index}` }) as unknown as Bucket);
  for (const { drive } of buckets) kept.documents.set(`${drive} colour`, JSON.stringify({ is: "x".repeat(2 ** 20) }));
  for (const bucket of buckets) await documents.read(bucket, colour);
  kept.asked = 0;
  for (const bucket of buckets.toReversed()) await documents.read(bucket, colour);
  expect(kept.asked).toBeGreaterThanOrEqual(16);
  expect(kept.asked).toBeLessThan(20);
});
