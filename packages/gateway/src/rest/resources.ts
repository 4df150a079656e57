import type { AccessToken, Entry, FileVersion, Page } from "@cairn/protocol";

/** Entries as REST shows them: times in RFC 3339, the parent as `parentId`. */
export function entryResource({ parent, createdAt, modifiedAt, trashedAt, ...rest }: Entry): Record<string, unknown> {
  return {
    ...rest,
    parentId: parent,
    createdAt: timeText(createdAt),
    modifiedAt: timeText(modifiedAt),
    trashedAt: trashedAt === undefined ? undefined : timeText(trashedAt),
  };
}

export function versionResource({ createdAt, ...rest }: FileVersion): Record<string, unknown> {
  return { ...rest, createdAt: timeText(createdAt) };
}

export function tokenResource({ createdAt, expiresAt, ...rest }: AccessToken): Record<string, unknown> {
  return {
    ...rest,
    createdAt: timeText(createdAt),
    expiresAt: expiresAt === undefined ? undefined : timeText(expiresAt),
  };
}

export function pageResource<Item>(
  page: Page<Item>,
  resource: (item: Item) => unknown,
  totalCount?: number,
): Record<string, unknown> {
  return { items: page.items.map(resource), nextCursor: page.cursor ?? null, totalCount };
}

/** A time outside of what a Date can say is shown as its nearest edge. */
export function timeText(ms: number): string {
  const edge = 8.64e15;
  return new Date(Math.min(Math.max(ms, -edge), edge)).toISOString();
}
