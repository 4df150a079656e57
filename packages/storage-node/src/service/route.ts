import type { HttpReply, IncomingRequest } from "@cairn/env";
import { utf8 } from "@cairn/protocol";

/** A request that has found its route. */
export interface RouteCall {
  readonly request: IncomingRequest;
  readonly match: RegExpMatchArray;
  readonly token: string;
}

/** One request that a node answers; each route checks the token before it reads a body. */
export interface NodeRoute<Call extends RouteCall> {
  readonly name: string;
  readonly method: string;
  readonly path: RegExp;
  readonly answer: (call: Call) => Promise<HttpReply>;
}

export function json(value: unknown): HttpReply {
  return { status: 200, headers: { "content-type": "application/json" }, body: [utf8(JSON.stringify(value))] };
}
