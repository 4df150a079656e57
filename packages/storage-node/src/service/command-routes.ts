import type { HttpReply } from "@cairn/env";
import { limits, type NodeIdentity, parseGroupId, toWireError, utf8 } from "@cairn/protocol";
import type { ByteBudget } from "./byte-budget.ts";
import { exactChunksOf } from "./command-bodies.ts";
import type { LocalNodeCommands } from "./local-node-commands.ts";
import { bodyBytesOf, numberOf, parametersOf } from "./request-parts.ts";
import { json, type NodeRoute, type RouteCall } from "./route.ts";

const deleteBytesMax = limits.commitEntriesMax * 160;
/** What the routes need beside the commands. */
export interface CommandRouteParts {
  readonly incoming: ByteBudget;
  readonly identity: () => NodeIdentity;
  readonly expose: () => Promise<string>;
}

export interface CommandCall extends RouteCall {
  readonly commands: LocalNodeCommands;
}

/** All routes that need a command token. Each checks it before it reads a body, and once more when the body is there. */
export function commandRoutes(parts: CommandRouteParts): readonly NodeRoute<CommandCall>[] {
  const post = "POST";
  const get = "GET";
  return [
    { name: "delete", method: post, path: /^\/chunks\/delete$/, answer: (call) => deleteChunks(parts, call) },
    { name: "inventory", method: get, path: /^\/groups\/([^/]+)\/inventory$/, answer: listInventory },
    {
      name: "digests",
      method: get,
      path: /^\/digests$/,
      answer: async ({ commands, token }) => json({ groups: await commands.digests(token) }),
    },
    { name: "identity", method: get, path: /^\/identity$/, answer: (call) => identify(parts, call) },
    { name: "metrics", method: get, path: /^\/metrics$/, answer: (call) => measure(parts, call) },
  ];
}

async function deleteChunks(parts: CommandRouteParts, { request, token, commands }: CommandCall): Promise<HttpReply> {
  await commands.authorise(token);
  const bytes = bodyBytesOf(request, deleteBytesMax);
  const chunks = await parts.incoming.hold(bytes, async () => exactChunksOf(await request.body(deleteBytesMax)));
  const outcomes = await commands.deleteExact(chunks, token);
  return json({ outcomes: outcomes.map((outcome) => (outcome.ok ? {} : { error: toWireError(outcome.error) })) });
}

async function listInventory({ request, match, token, commands }: CommandCall): Promise<HttpReply> {
  await commands.authorise(token);
  const cursor = parametersOf(request.target, ["cursor"]).get("cursor");
  return json(await commands.inventory(parseGroupId(numberOf(match[1])), cursor, token));
}

async function identify(parts: CommandRouteParts, { token, commands }: CommandCall): Promise<HttpReply> {
  await commands.authorise(token);
  return json(parts.identity());
}

async function measure(parts: CommandRouteParts, { token, commands }: CommandCall): Promise<HttpReply> {
  await commands.authorise(token);
  const headers = { "content-type": "text/plain; charset=utf-8" };
  return { status: 200, headers, body: [utf8(await parts.expose())] };
}
