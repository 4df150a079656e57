import type { GroupId } from "@cairn/protocol";

/** Where a pass over a disk stands. It begins anywhere, goes up to the last group, and on from the first to where it began. */
export interface ScrubPosition {
  readonly from: GroupId;
  readonly wrapped: boolean;
  readonly group: GroupId;
  /** Within the group; undefined at its beginning. */
  readonly cursor?: string | undefined;
  readonly checkedBytes: number;
}

/** What of the scrub outlives a restart. Wall clock ms. */
export interface ScrubState {
  readonly startedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  /** Undefined between two passes. */
  readonly position?: ScrubPosition | undefined;
}

/** The beginning of a pass, at a group of chance so that no part of a disk is always last; undefined without groups. */
export function firstPosition(groups: readonly GroupId[], fraction: number): ScrubPosition | undefined {
  const from = [...groups].sort((a, b) => a - b)[Math.floor(fraction * groups.length)];
  return from === undefined ? undefined : { from, wrapped: false, group: from, checkedBytes: 0 };
}

/** The next group of the pass, whatever groups came and went meanwhile; undefined when it has come round. */
export function nextPosition(groups: readonly GroupId[], position: ScrubPosition): ScrubPosition | undefined {
  const { from, group, wrapped, checkedBytes } = position;
  const least = (fits: (id: GroupId) => boolean): GroupId | undefined =>
    groups.reduce<GroupId | undefined>(
      (best, id) => (fits(id) && (best === undefined || id < best) ? id : best),
      undefined,
    );
  if (!wrapped) {
    const above = least((id) => id > group);
    if (above !== undefined) return { from, wrapped, group: above, checkedBytes };
    const first = least((id) => id < from);
    return first === undefined ? undefined : { from, wrapped: true, group: first, checkedBytes };
  }
  const next = least((id) => id > group && id < from);
  return next === undefined ? undefined : { from, wrapped, group: next, checkedBytes };
}

/** What was stored, or the state of a disk that was never scrubbed when it cannot be understood. */
export function parseScrubState(stored: unknown): ScrubState {
  if (typeof stored !== "object" || stored === null) return {};
  const { startedAt, finishedAt, position } = stored as Partial<Record<keyof ScrubState, unknown>>;
  if (!isTime(startedAt) || !isTime(finishedAt) || !isPosition(position)) return {};
  return { startedAt, finishedAt, position };
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === "number" && Number.isFinite(value));
}

function isPosition(value: unknown): value is ScrubPosition | undefined {
  if (value === undefined) return true;
  if (typeof value !== "object" || value === null) return false;
  const { from, wrapped, group, cursor, checkedBytes } = value as Partial<Record<keyof ScrubPosition, unknown>>;
  const counts = [from, group, checkedBytes].every((count) => Number.isSafeInteger(count) && (count as number) >= 0);
  return counts && typeof wrapped === "boolean" && (cursor === undefined || typeof cursor === "string");
}
