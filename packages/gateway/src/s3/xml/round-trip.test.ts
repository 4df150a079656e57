import type { LifecycleRule } from "@cairn/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type AccessControlPolicy,
  cannedOf,
  grantsOfCanned,
  readAccessControlPolicy,
  writeAccessControlPolicy,
} from "./access-control-policy.ts";
import { type CorsRule, readCorsConfiguration, writeCorsConfiguration } from "./cors-configuration.ts";
import { readLifecycleConfiguration, writeLifecycleConfiguration } from "./lifecycle-configuration.ts";
import {
  type NotificationConfiguration,
  readNotificationConfiguration,
  writeNotificationConfiguration,
} from "./notification-configuration.ts";
import {
  readLegalHold,
  readObjectLockConfiguration,
  readRetention,
  writeLegalHold,
  writeObjectLockConfiguration,
  writeRetention,
} from "./object-lock.ts";
import { readOwnershipControls, writeOwnershipControls } from "./ownership-controls.ts";
import { readPublicAccessBlock, writePublicAccessBlock } from "./public-access-block.ts";
import { readTagging, writeTagging } from "./tagging.ts";
import { readVersioningConfiguration, writeVersioningConfiguration } from "./versioning-configuration.ts";

/** Text that an XML 1.0 document can carry. */
const text = (maxLength: number, minLength = 0) =>
  fc
    .string({ unit: "grapheme", minLength, maxLength })
    .map((it) => it.replace(/[\p{Cc}\uFFFE\uFFFF]/gu, "\t").replace(/\p{Surrogate}/gu, "x"));
const pattern = text(30, 1).map((it) => `${it.replaceAll("*", "")}a`);
const tag = fc.record({
  key: fc.stringMatching(/^[a-z]{1,20}$/),
  value: fc.stringMatching(/^[ A-Za-z0-9_.:/=+@-]{0,40}$/),
});
const tags = (min: number) => fc.uniqueArray(tag, { selector: ({ key }) => key, minLength: min, maxLength: 5 });
const days = fc.integer({ min: 1, max: 36_500 });

function roundTrip<T>(values: fc.Arbitrary<T>, write: (value: T) => string, read: (body: Uint8Array) => T): void {
  fc.assert(
    fc.property(values, (value) => {
      expect(read(new TextEncoder().encode(write(value)))).toEqual(value);
    }),
    { numRuns: 200 },
  );
}

test("tags are read as they were written", () => {
  roundTrip(tags(0), writeTagging, (body) => [...readTagging(body, "object")]);
});

test("versioning and ownership are read as they were written", () => {
  roundTrip(fc.constantFrom("Enabled", "Suspended"), writeVersioningConfiguration, readVersioningConfiguration);
  roundTrip(
    fc.constantFrom("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"),
    writeOwnershipControls,
    readOwnershipControls,
  );
});

test("the public access block is read as it was written", () => {
  const block = fc.record({
    blockPublicAcls: fc.boolean(),
    ignorePublicAcls: fc.boolean(),
    blockPublicPolicy: fc.boolean(),
    restrictPublicBuckets: fc.boolean(),
  });
  roundTrip(block, writePublicAccessBlock, readPublicAccessBlock);
});

test("locks, retentions and holds are read as they were written", () => {
  const mode = fc.constantFrom("GOVERNANCE", "COMPLIANCE");
  const period = fc.oneof(fc.record({ days }), fc.record({ years: fc.integer({ min: 1, max: 100 }) }));
  const lock = fc.record({ defaultRetention: fc.record({ mode, period }) }, { requiredKeys: [] });
  roundTrip(lock, writeObjectLockConfiguration, readObjectLockConfiguration);
  const retention = fc.record({ mode, retainUntilMs: fc.integer({ min: 0, max: Date.UTC(2200, 0) }) });
  roundTrip<{ mode: "GOVERNANCE" | "COMPLIANCE"; retainUntilMs: number } | undefined>(
    retention,
    (it) => (it === undefined ? "<Retention/>" : writeRetention(it)),
    readRetention,
  );
  roundTrip(fc.boolean(), writeLegalHold, readLegalHold);
});

test("CORS rules are read as they were written", () => {
  const rule: fc.Arbitrary<CorsRule> = fc.record(
    {
      id: text(40),
      allowedOrigins: fc.array(fc.oneof(pattern, fc.constant("*")), { minLength: 1, maxLength: 3 }),
      allowedMethods: fc.uniqueArray(fc.constantFrom("GET", "PUT", "POST", "DELETE", "HEAD"), { minLength: 1 }),
      allowedHeaders: fc.array(pattern, { maxLength: 3 }),
      exposeHeaders: fc.array(fc.stringMatching(/^[A-Za-z0-9-]{1,20}$/), { maxLength: 3 }),
      maxAgeSeconds: fc.nat(),
    },
    { requiredKeys: ["allowedOrigins", "allowedMethods", "allowedHeaders", "exposeHeaders"] },
  );
  roundTrip(fc.array(rule, { minLength: 1, maxLength: 4 }), writeCorsConfiguration, (body) => [
    ...readCorsConfiguration(body),
  ]);
});

test("lifecycle rules are read as they were written", () => {
  const filter = fc.record(
    {
      prefix: text(30),
      tags: tags(0),
      sizeGreaterThan: fc.integer({ min: 0, max: 1000 }),
      sizeLessThan: fc.integer({ min: 2000, max: 5000 }),
    },
    { requiredKeys: ["tags"] },
  );
  const expiration = fc.oneof(
    fc.record({ days }),
    fc.record({ dateMs: fc.integer({ min: 0, max: 50_000 }).map((day) => day * 86_400_000) }),
  );
  const rule: fc.Arbitrary<LifecycleRule> = fc.record(
    {
      id: text(20, 1),
      enabled: fc.boolean(),
      filter,
      expiration,
      noncurrentExpiration: fc.record(
        { days, newerVersions: fc.integer({ min: 1, max: 100 }) },
        { requiredKeys: ["days"] },
      ),
    },
    { requiredKeys: ["enabled", "filter", "expiration"] },
  );
  const markers: fc.Arbitrary<LifecycleRule> = fc.record({
    enabled: fc.boolean(),
    filter: fc.record({ prefix: text(30), tags: fc.constant([]) }),
    legacyPrefix: fc.constant(true as const),
    expiration: fc.record({ expiredObjectDeleteMarker: fc.boolean() }),
    abortUploadsAfterDays: days,
  });
  const rules = fc.uniqueArray(fc.oneof(rule, markers), {
    selector: (it) => it.id ?? Symbol("none"),
    minLength: 1,
    maxLength: 4,
  });
  roundTrip(rules, writeLifecycleConfiguration, (body) => [...readLifecycleConfiguration(body)]);
});

test("notifications are read as they were written", () => {
  const rule = fc.record(
    {
      kind: fc.constantFrom("topic", "queue", "function"),
      id: text(20, 1),
      target: fc.stringMatching(/^arn:[a-z:]{1,20}$/),
      events: fc.uniqueArray(fc.constantFrom("s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"), { minLength: 1 }),
      prefix: text(20),
      suffix: text(20),
    },
    { requiredKeys: ["kind", "target", "events"] },
  );
  const order = ["topic", "queue", "function"];
  const configuration = fc.record({
    rules: fc
      .array(rule, { maxLength: 4 })
      .map((rules) => rules.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))),
    eventBridge: fc.boolean(),
  });
  roundTrip<NotificationConfiguration>(configuration, writeNotificationConfiguration, readNotificationConfiguration);
});

test("access control lists are read as they were written, and the canned ones recognised", () => {
  const owner = fc.record({ id: text(30, 1), displayName: text(30) }, { requiredKeys: ["id"] });
  const grant = fc.record({
    grantee: fc.oneof(owner, fc.record({ group: text(30) })),
    permission: fc.constantFrom("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"),
  });
  const policy = fc.record({ owner, grants: fc.array(grant, { maxLength: 5 }) }, { requiredKeys: ["grants"] });
  roundTrip<AccessControlPolicy>(policy, writeAccessControlPolicy, readAccessControlPolicy);
  for (const acl of ["private", "public-read"] as const) {
    const grants = grantsOfCanned(acl, { id: "me" });
    expect(cannedOf({ grants }, "me")).toBe(acl);
    expect(cannedOf({ grants }, "you")).toBeUndefined();
    expect(cannedOf({ grants: [...grants, { grantee: { id: "x" }, permission: "READ" }] }, "me")).toBeUndefined();
  }
});
