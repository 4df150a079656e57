import type { IncomingHttpHeaders } from "node:http";

/** What a file is now, for conditional requests. */
export interface Validators {
  /** Without quotes. */
  readonly etag: string | undefined;
  /** Wall clock ms. */
  readonly modifiedAt: number;
}

interface EntityTag {
  readonly weak: boolean;
  readonly tag: string;
}

/** Entity tags of a header: `*`, or a list. What is no entity tag matches nothing. */
export function parseEntityTags(header: string): "*" | readonly EntityTag[] {
  if (header.trim() === "*") return "*";
  return [...header.matchAll(/(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g)].map(([, weak, tag = ""]) => ({
    weak: weak !== undefined,
    tag,
  }));
}

/** The preconditions of a read in the order of RFC 9110 §13.2.2: go on, 304, or 412. */
export function checkReadConditions(
  headers: IncomingHttpHeaders,
  { etag, modifiedAt }: Validators,
): "proceed" | "not-modified" | "failed" {
  const seconds = Math.floor(modifiedAt / 1000);
  const ifMatch = headers["if-match"];
  if (ifMatch !== undefined) {
    const tags = parseEntityTags(ifMatch);
    if (tags !== "*" && !tags.some(({ weak, tag }) => !weak && tag === etag)) return "failed";
  } else if (isBefore(dateOf(headers["if-unmodified-since"]), seconds)) return "failed";
  const ifNoneMatch = headers["if-none-match"];
  if (ifNoneMatch !== undefined) {
    const tags = parseEntityTags(ifNoneMatch);
    return tags === "*" || tags.some(({ tag }) => tag === etag) ? "not-modified" : "proceed";
  }
  const since = dateOf(headers["if-modified-since"]);
  return since !== undefined && seconds <= since ? "not-modified" : "proceed";
}

/** True when a range may be answered with a part: what the client has a part of is still what is there. A date is too coarse to tell. */
export function ifRangeHolds(header: string | undefined, { etag }: Validators): boolean {
  return header === undefined || header.trim() === `"${etag}"`;
}

/** Seconds since 1970 of an HTTP date. */
function dateOf(header: string | undefined): number | undefined {
  const ms = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

function isBefore(limit: number | undefined, seconds: number): boolean {
  return limit !== undefined && seconds > limit;
}
