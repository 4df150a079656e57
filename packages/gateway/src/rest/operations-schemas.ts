import { type TSchema, Type } from "typebox";

const text = Type.String();
const count = Type.Integer({ minimum: 0 });
const number = Type.Number();
const time = Type.String({ format: "date-time" });
const optionalTime = Type.Optional(time);

export const severitySchema: TSchema = Type.Union([
  Type.Literal("info"),
  Type.Literal("warning"),
  Type.Literal("error"),
]);

export const claimSchema: TSchema = Type.Object({
  name: text,
  verdict: Type.Union([Type.Literal("good"), Type.Literal("attention"), Type.Literal("bad")]),
  message: text,
  evidence: text,
  asOf: time,
  hint: Type.Optional(text),
});

export const eventSchema: TSchema = Type.Object({
  sequence: count,
  at: time,
  severity: severitySchema,
  kind: text,
  subject: text,
  message: text,
  details: Type.Record(Type.String(), Type.Unknown()),
});

export const settingSchema: TSchema = Type.Object({
  name: text,
  value: Type.Integer(),
  default: Type.Integer(),
  unit: text,
  min: Type.Integer(),
  max: Type.Integer(),
  description: text,
});

export const jobSchema: TSchema = Type.Object({
  id: count,
  kind: text,
  state: text,
  subject: text,
  doneItems: count,
  totalItems: count,
  doneBytes: count,
  totalBytes: count,
  bytesPerSecond: number,
  etaMs: Type.Optional(number),
  message: text,
  createdAt: time,
  finishedAt: optionalTime,
});

const moveSchema: TSchema = Type.Object({
  group: count,
  reason: text,
  from: Type.Optional(count),
  to: count,
  job: Type.Optional(count),
  doneBytes: count,
  totalBytes: count,
  startedAt: time,
});

export const repairSchema: TSchema = Type.Object({
  state: text,
  reason: text,
  startsInMs: Type.Optional(number),
  groupsWaiting: count,
  groupsMoving: count,
  chunksWaiting: count,
  doneBytes: count,
  totalBytes: count,
  bytesPerSecond: number,
  etaMs: Type.Optional(number),
  moves: Type.Array(moveSchema),
});

export const scrubSchema: TSchema = Type.Object({
  node: text,
  disk: count,
  passStartedAt: optionalTime,
  passFinishedAt: optionalTime,
  checkedBytes: count,
  totalBytes: count,
});

export const collectionSchema: TSchema = Type.Object({
  state: text,
  reason: text,
  inGraceChunks: count,
  inGraceBytes: count,
  condemnedChunks: count,
  orphansDeleted: count,
  deletedChunks: count,
  deletedBytes: count,
  lastRunAt: optionalTime,
  lastAuditAt: optionalTime,
});

export const healthSchema: TSchema = Type.Object({
  safe: Type.Union([Type.Literal("yes"), Type.Literal("reduced"), Type.Literal("no")]),
  canLoseNodes: Type.Integer({ minimum: -1, description: "-1: some data cannot be read now" }),
  freeBytes: count,
  fullInDays: Type.Optional(number),
  claims: Type.Array(claimSchema),
  repair: repairSchema,
  scrub: Type.Array(scrubSchema),
  collection: collectionSchema,
  jobs: Type.Array(jobSchema),
  status: Type.Unknown({ description: "As GET /cluster answers" }),
});

const node = Type.String({ minLength: 1, maxLength: 63 });

/** A change of who stores what, as it comes in. */
export const changeSchema: TSchema = Type.Union([
  Type.Object({ kind: Type.Union([Type.Literal("drain"), Type.Literal("undrain"), Type.Literal("remove")]), node }),
  Type.Object({
    kind: Type.Literal("maintenance"),
    node,
    on: Type.Boolean(),
    durationMs: Type.Optional(Type.Integer({ minimum: 1000 })),
  }),
  Type.Object({ kind: Type.Literal("rebalance") }),
  Type.Object({
    kind: Type.Literal("change-copies"),
    drive: Type.String({ maxLength: 64 }),
    copies: Type.Integer({ minimum: 1, maximum: 64 }),
  }),
]);

export const planSchema: TSchema = Type.Object({
  change: Type.Unknown(),
  refusals: Type.Array(text),
  warnings: Type.Array(text),
  groupsToMove: count,
  bytesToMove: count,
  etaMs: Type.Optional(number),
  disks: Type.Array(Type.Object({ disk: count, node: text, beforeBytes: count, afterBytes: count })),
  canLoseNodes: Type.Object({ now: Type.Integer(), during: Type.Integer(), after: Type.Integer() }),
});

export const impactSchema: TSchema = Type.Object({
  node: Type.Unknown({ description: "As GET /nodes answers" }),
  duty: text,
  health: text,
  groups: count,
  chunks: count,
  bytes: count,
  onlyCopyChunks: Type.Integer(),
  canLoseNodesWithout: Type.Integer(),
});
