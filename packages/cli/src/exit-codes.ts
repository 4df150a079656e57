import type { ErrorKind } from "@cairn/protocol";

/** What the process tells its caller. Unknown codes must be treated as failure; the table is docs/api/exit-codes.md. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  partial: 3,
  notFound: 4,
  unreachable: 5,
  forbidden: 6,
  conflict: 7,
  noSpace: 8,
  unchanged: 9,
  corrupt: 10,
  degraded: 11,
  interrupted: 130,
  terminated: 143,
} as const;

/** What each code means, in the order in which people read them. */
export const exitCodeMeanings: readonly (readonly [code: number, meaning: string])[] = [
  [exitCodes.ok, "done"],
  [exitCodes.failure, "failure, such as a local file that cannot be read or written"],
  [exitCodes.usage, "wrong usage: unknown command or option, or a request that can never succeed as it stands"],
  [exitCodes.partial, "some items failed, the others are done"],
  [exitCodes.notFound, "the file, folder or other thing does not exist"],
  [exitCodes.unreachable, "the cluster or a part of it cannot be reached or serve now; trying again may help"],
  [exitCodes.forbidden, "the access token is missing, wrong or does not allow this"],
  [exitCodes.conflict, "the name is taken, the thing changed meanwhile, or an id prefix fits several"],
  [exitCodes.noSpace, "no space is left"],
  [exitCodes.unchanged, "nothing had to be done (only with --error-if-unchanged)"],
  [exitCodes.corrupt, "bytes are damaged or lost"],
  [exitCodes.degraded, "the cluster is not healthy (only `status --exit-code`, `doctor` and `fsck`)"],
  [exitCodes.interrupted, "stopped by Ctrl-C"],
  [exitCodes.terminated, "stopped by SIGTERM"],
];

/** The exit code of a failure of this kind. */
export function exitCodeOf(kind: ErrorKind): number {
  switch (kind) {
    case "invalid":
    case "too-large":
    case "range":
      return exitCodes.usage;
    case "unauthenticated":
    case "forbidden":
      return exitCodes.forbidden;
    case "not-found":
      return exitCodes.notFound;
    case "conflict":
    case "precondition-failed":
      return exitCodes.conflict;
    case "corrupt":
    case "lost":
      return exitCodes.corrupt;
    case "unavailable":
    case "overloaded":
    case "chunk-gone":
    case "stale":
      return exitCodes.unreachable;
    case "no-space":
      return exitCodes.noSpace;
    case "cancelled":
      return exitCodes.interrupted;
    case "internal":
      return exitCodes.failure;
  }
}
