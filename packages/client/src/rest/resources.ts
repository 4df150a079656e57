import type { AccessToken, Entry, EntryId, FileVersion } from "@cairn/protocol";
import type { ListPage } from "../options.ts";

/** A resource as the REST API spells it: times are RFC 3339, what is absent may be null. */
export type Json = Readonly<Record<string, unknown>>;

/** A page as the REST API spells it. */
export interface JsonPage {
  readonly items: readonly Json[];
  readonly nextCursor?: string | null;
  readonly totalCount?: number | null;
}

export function pageOf<Item>(page: JsonPage, parse: (item: Json) => Item): ListPage<Item> {
  return {
    items: page.items.map(parse),
    cursor: page.nextCursor ?? undefined,
    totalCount: page.totalCount ?? undefined,
  };
}

export function entryOf(json: Json): Entry {
  const parent = (json["parentId"] ?? json["parent"] ?? undefined) as EntryId | undefined;
  return {
    ...(withoutNulls(json) as unknown as Entry),
    parent,
    contentType: textOf(json["contentType"]),
    version: textOf(json["version"]) as Entry["version"],
    etag: textOf(json["etag"]),
    createdAt: timeOf(json["createdAt"]) ?? 0,
    modifiedAt: timeOf(json["modifiedAt"]) ?? 0,
    trashedAt: timeOf(json["trashedAt"]),
  };
}

export function versionOf(json: Json): FileVersion {
  return { ...(json as unknown as FileVersion), createdAt: timeOf(json["createdAt"]) ?? 0 };
}

export function tokenOf(json: Json): AccessToken {
  return {
    ...(json as unknown as AccessToken),
    createdAt: timeOf(json["createdAt"]) ?? 0,
    expiresAt: timeOf(json["expiresAt"]),
  };
}

/** Wall clock ms of an RFC 3339 time, or of ms as they are. */
export function timeOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  const parsed = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(parsed) ? undefined : parsed;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function withoutNulls(json: Json): Json {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
}
