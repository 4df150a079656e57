import type { HttpReply, IncomingRequest } from "@cairn/env";
import { fromUtf8, StorageError, statusOfKind, toWireError, utf8 } from "@cairn/protocol";
import type { MethodList } from "./method-lists.ts";
import { outcomesToWire } from "./method-wire.ts";
import { methodBodyBytesMax } from "./remote-service.ts";

const argumentsMax = 8;

/** Who may call; throws unauthenticated or forbidden. */
export type Authorise = (request: IncomingRequest, method: string) => Promise<void>;

/**
 * Answers POST `<base>/<method>` by calling that method of the service: the other half of remoteService. Unknown methods
 * answer 404. `null` among the arguments means "absent".
 */
export function serveMethods<Service extends object>(
  service: Service,
  methods: MethodList<Service>,
  { base, authorise }: { base: string; authorise: Authorise },
): (request: IncomingRequest) => Promise<HttpReply> {
  return async (request) => {
    try {
      const method = request.target.slice(base.length + 1);
      if (!Object.hasOwn(methods, method) || request.method !== "POST") {
        throw new StorageError("not-found", "call method", method.slice(0, 80));
      }
      await authorise(request, method);
      const args = parseArguments(await request.body(methodBodyBytesMax));
      const call = service[method as keyof Service] as (...args: unknown[]) => Promise<unknown>;
      const result = await call.apply(service, args);
      return json(200, { result: outcomesToWire(result) }, request.id);
    } catch (error) {
      const wire = toWireError(error);
      return json(statusOfKind(wire.kind, wire.details), { error: wire }, request.id);
    }
  };
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
