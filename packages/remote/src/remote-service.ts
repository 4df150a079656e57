import type { Clock, Network, Random } from "@cairn/env";
import {
  type DataPathService,
  limits,
  type MembershipService,
  type MetadataService,
  type OperationsService,
  utf8,
} from "@cairn/protocol";
import {
  dataPathMethods,
  type MethodList,
  membershipMethods,
  metadataMethods,
  operationsMethods,
} from "./method-lists.ts";
import { outcomesFromWire } from "./method-wire.ts";
import { jsonOfReply } from "./reply-error.ts";
import { triesMax, withRetries } from "./retries.ts";

const replyBytesMax = 64 * 1024 * 1024;
const timeoutMsDefault = 30_000;

export interface RemoteOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  /** URL under which the methods stand, without a slash at its end. */
  readonly base: string;
  /** Sent as Bearer credential if given. */
  readonly bearer?: string | undefined;
  /** Tries of a repeatable call that finds the server unavailable; absent: 3. */
  readonly tries?: number | undefined;
  /** Wait for each answer, ms; absent: 30 s, and for membership what keeps a node from falling silent. */
  readonly timeoutMs?: number | undefined;
}

/** The data path of a metadata server, or of a gateway in front of it. */
export function remoteDataPath(options: RemoteOptions): DataPathService {
  return remoteService<DataPathService>(options, dataPathMethods);
}

export function remoteMetadata(options: RemoteOptions): MetadataService {
  return remoteService<MetadataService>(options, metadataMethods);
}

/** What operators ask and order, for a gateway on another machine than the metadata server. */
export function remoteOperations(options: RemoteOptions): OperationsService {
  return remoteService<OperationsService>(options, operationsMethods);
}

export function remoteMembership(options: RemoteOptions): MembershipService {
  return remoteService<MembershipService>({ timeoutMs: limits.suspectAfterMs / 2, ...options }, membershipMethods);
}

/**
 * Calls a service's methods as POST `<base>/<method>` with a JSON array of arguments (docs/api/methods.md). A repeatable
 * call that finds the server unavailable is tried again with growing, random pauses.
 */
function remoteService<Service>(options: RemoteOptions, methods: MethodList<Service>): Service {
  const entries = Object.entries(methods).map(([method, kind]) => {
    const tries = kind === "repeatable" ? (options.tries ?? triesMax) : 1;
    return [
      method,
      (...args: unknown[]) => withRetries(options, { tries }, () => call(options, method, args)),
    ] as const;
  });
  return Object.fromEntries(entries) as Service;
}

async function call(options: RemoteOptions, method: string, args: readonly unknown[]): Promise<unknown> {
  const reply = await options.network.request({
    method: "POST",
    url: `${options.base}/${method}`,
    headers: {
      "content-type": "application/json",
      ...(options.bearer === undefined ? {} : { authorization: `Bearer ${options.bearer}` }),
    },
    body: [utf8(JSON.stringify(args))],
    timeoutMs: options.timeoutMs ?? timeoutMsDefault,
    replyBytesMax,
  });
  const { result } = jsonOfReply<{ result?: unknown }>(reply, method);
  return outcomesFromWire(result, method);
}

/** Largest body that a method call may have. */
export const methodBodyBytesMax: number = limits.metadataBodyBytesMax;
