import type { HttpReply, IncomingRequest, Log } from "@cairn/env";
import { asStorageError, fromUtf8, isKind, StorageError, statusOfKind, toWireError, utf8 } from "@cairn/protocol";
import type { MethodList } from "./method-lists.ts";
import { outcomesToWire } from "./method-wire.ts";
import { methodBodyBytesMax } from "./remote-service.ts";

const argumentsMax = 8;

/** Who may call; throws unauthenticated or forbidden. */
export type Authorise = (request: IncomingRequest, method: string) => Promise<void>;

export interface MethodServerOptions {
  /** Path under which the methods stand, without a slash at its end. */
  readonly base: string;
  readonly authorise: Authorise;
  /** Takes what was not foreseen; the caller is then told the request's id only. */
  readonly log?: Log | undefined;
}

/**
 * Answers POST `<base>/<method>` by calling that method of the service: the other half of remoteService. Unknown methods
 * answer 404. `null` among the arguments means "absent".
 */
export function serveMethods<Service extends object>(
  service: Service,
  methods: MethodList<Service>,
  { base, authorise, log }: MethodServerOptions,
): (request: IncomingRequest) => Promise<HttpReply> {
  return async (request) => {
    const method = request.target.startsWith(`${base}/`) ? request.target.slice(base.length + 1) : "";
    try {
      // Who may not call learns nothing, not even which methods there are.
      await authorise(request, method);
      if (!Object.hasOwn(methods, method) || request.method !== "POST") {
        throw new StorageError("not-found", "call method", method.slice(0, 80));
      }
      const args = parseArguments(await request.body(methodBodyBytesMax));
      const call = service[method as keyof Service] as (...args: unknown[]) => Promise<unknown>;
      const result = await call.apply(service, args);
      return json(200, { result: outcomesToWire(result) }, request.id);
    } catch (error) {
      const known = log ? tellable(error, { log, requestId: request.id, method }) : asStorageError(error, method);
      const status = statusOfKind(known.kind, known.details);
      return json(status, { error: toWireError(known), requestId: request.id }, request.id);
    }
  };
}

/** What was not foreseen stays in the log, because its words may tell more than the caller should know. */
function tellable(
  error: unknown,
  { log, requestId, method }: { log: Log; requestId: string; method: string },
): StorageError {
  if (isKind(error, "internal") || !(error instanceof StorageError)) {
    log.error({ err: error, requestId, method: method.slice(0, 80) }, "a call failed unforeseen");
  }
  if (error instanceof StorageError) return error;
  return new StorageError("internal", "call method", requestId, {
    hint: "The server's log tells more under this request id.",
  });
}

function parseArguments(body: Uint8Array): unknown[] {
  let args: unknown;
  try {
    args = JSON.parse(fromUtf8(body));
  } catch (cause) {
    throw new StorageError("invalid", "call method", "the body is not JSON", { cause });
  }
  if (!Array.isArray(args) || args.length > argumentsMax) {
    throw new StorageError("invalid", "call method", "the body is a JSON array of the arguments");
  }
  return args.map((argument: unknown) => argument ?? undefined);
}

function json(status: number, value: unknown, requestId: string): HttpReply {
  return {
    status,
    headers: {
      "content-type": "application/json",
      "x-request-id": requestId,
      ...(status === 503 ? { "retry-after": "1" } : {}),
    },
    body: [utf8(JSON.stringify(value))],
  };
}
