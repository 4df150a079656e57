import { expect, test } from "vitest";
import { daysAfter, expirationOf, type LifecycleRule, uploadExpiryOf } from "./lifecycle.ts";
import { newId, timeOfId } from "./ulid.ts";

const day = 86_400_000;
const rule = (given: Partial<LifecycleRule>): LifecycleRule => ({ enabled: true, filter: { tags: [] }, ...given });

test("days end with the next midnight, as the S3 user guide counts them", () => {
  const created = Date.UTC(2014, 0, 15, 10, 30);
  expect(new Date(daysAfter(created, 3, day)).toISOString()).toBe("2014-01-19T00:00:00.000Z");
  expect(daysAfter(Date.UTC(2014, 0, 15), 3, day)).toBe(Date.UTC(2014, 0, 18));
});

test("of several rules the one counts that comes first", () => {
  const object = { key: "a/b", size: 1, tags: undefined, createdAt: Date.UTC(2026, 0, 1) };
  const late = rule({ id: "late", expiration: { days: 30 } });
  const soon = rule({ id: "soon", expiration: { days: 2 }, filter: { prefix: "a/", tags: [] } });
  const none = rule({ id: "none", expiration: { expiredObjectDeleteMarker: true } });
  const off = rule({ id: "off", expiration: { days: 1 }, enabled: false });
  const found = expirationOf([late, none, off, soon], object, day);
  expect([found?.rule.id, found?.at]).toEqual(["soon", Date.UTC(2026, 0, 3)]);
  expect(expirationOf([late, soon], { ...object, key: "b" }, day)?.rule.id).toBe("late");
  expect(expirationOf([none, off], object, day)).toBeUndefined();
});

test("uploads are given up by the shortest rule of their key", () => {
  const upload = { key: "a/b", createdAt: Date.UTC(2026, 0, 1, 12) };
  const rules = [
    rule({ abortUploadsAfterDays: 7 }),
    rule({ abortUploadsAfterDays: 1, filter: { prefix: "b", tags: [] } }),
    rule({ expiration: { days: 1 } }),
  ];
  expect(uploadExpiryOf(rules, upload, day)).toBe(Date.UTC(2026, 0, 9));
  expect(uploadExpiryOf(rules.slice(1), upload, day)).toBeUndefined();
});

test("an id tells when it was made", () => {
  const at = Date.UTC(2026, 10, 23, 15, 30, 0, 123);
  expect(timeOfId(newId("v_", at, new Uint8Array(10).fill(255)))).toBe(at);
});
