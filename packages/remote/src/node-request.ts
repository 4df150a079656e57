import type { IncomingReply, Network, OutgoingRequest } from "@cairn/env";
import { limits } from "@cairn/protocol";

/** A node that moves fewer bytes is as good as silent. */
const bytesPerMsMin = 200;

/** How a node is reached. */
export interface NodeAddress {
  readonly network: Network;
  /** Base URL of the node, or of a gateway's relay to it. */
  readonly base: string;
  /** Further headers, such as the user's token for a relay. */
  readonly headers?: Readonly<Record<string, string>>;
  /** First wait for an answer, ms; larger bodies get more. */
  readonly timeoutMs?: number;
}

/** One request to a node. */
export interface NodeRequest extends Pick<OutgoingRequest, "method" | "body" | "headers"> {
  readonly path: string;
  readonly token: string;
  /** Bytes that the answer will have at most, and has as a rule. */
  readonly answer: { readonly bytesMax: number; readonly bytes?: number };
  /** In place of the address's. */
  readonly timeoutMs?: number;
}

/** Throws unavailable or cancelled; every status is an answer. */
export function askNode(
  address: NodeAddress,
  request: NodeRequest,
  signal: AbortSignal | undefined,
): Promise<IncomingReply> {
  const { method, path, token, body = [], answer } = request;
  const bytes = body.reduce((sum, part) => sum + part.length, answer.bytes ?? 0);
  const timeoutMs = request.timeoutMs ?? address.timeoutMs ?? limits.nodeTimeoutMs;
  return address.network.request({
    method,
    url: address.base + path,
    headers: { ...address.headers, ...request.headers, authorization: `Bearer ${token}` },
    body,
    timeoutMs: timeoutMs + bytes / bytesPerMsMin,
    replyBytesMax: answer.bytesMax,
    signal,
  });
}
