import type { HttpReply } from "@cairn/env";
import { limits, type NodeIdentity, parseDiskId, parseGroupId, toWireError, utf8 } from "@cairn/protocol";
import type { ByteBudget } from "./byte-budget.ts";
import { copyOrderOf, exactChunksOf } from "./command-bodies.ts";
import type { LocalNodeCommands } from "./local-node-commands.ts";
import { bodyBytesOf, numberOf, parametersOf } from "./request-parts.ts";
import { json, type NodeRoute, type RouteCall } from "./route.ts";

const deleteBytesMax = limits.commitEntriesMax * 160;
/** Chunks, sources and the token of one order. */
const copyOrderBytesMax: number = limits.copyChunksMax * 160 + limits.copiesMax * 512 + 2048;

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
    { name: "copy", method: post, path: /^\/copies$/, answer: (call) => copyChunks(parts, call) },
    { name: "delete", method: post, path: /^\/chunks\/delete$/, answer: (call) => deleteChunks(parts, call) },
    { name: "drop-group", method: "DELETE", path: /^\/groups\/([^/]+)\/disks\/([^/]+)$/, answer: dropGroup },
    { name: "inventory", method: get, path: /^\/groups\/([^/]+)\/inventory$/, answer: listInventory },
    {
      name: "digests",
      method: get,
      path: /^\/digests$/,
      answer: async ({ commands, token }) => json({ groups: await commands.digests(token) }),
    },
    {
      name: "scrub",
      method: post,
      path: /^\/scrub$/,
      answer: ({ commands, token }) => commands.startScrub(token).then(begun),
    },
    {
      name: "compaction",
      method: post,
      path: /^\/compaction$/,
      answer: ({ commands, token }) => commands.startCompaction(token).then(begun),
    },
    { name: "identity", method: get, path: /^\/identity$/, answer: (call) => identify(parts, call) },
    { name: "metrics", method: get, path: /^\/metrics$/, answer: (call) => measure(parts, call) },
  ];
}

async function copyChunks(parts: CommandRouteParts, { request, token, commands }: CommandCall): Promise<HttpReply> {
  await commands.authorise(token);
  const bytes = bodyBytesOf(request, copyOrderBytesMax);
  const order = await parts.incoming.hold(bytes, async () => copyOrderOf(await request.body(copyOrderBytesMax)));
  const outcomes = await commands.copyIn(order, token, request.signal);
  return json({
    outcomes: outcomes.map((outcome) => (outcome.ok ? { copy: outcome.value } : { error: toWireError(outcome.error) })),
  });
}

async function deleteChunks(parts: CommandRouteParts, { request, token, commands }: CommandCall): Promise<HttpReply> {
  await commands.authorise(token);
  const bytes = bodyBytesOf(request, deleteBytesMax);
  const chunks = await parts.incoming.hold(bytes, async () => exactChunksOf(await request.body(deleteBytesMax)));
  const outcomes = await commands.deleteExact(chunks, token);
  return json({ outcomes: outcomes.map((outcome) => (outcome.ok ? {} : { error: toWireError(outcome.error) })) });
}

async function dropGroup({ match, token, commands, request }: CommandCall): Promise<HttpReply> {
  // Before the path is read: whoever may not command learns nothing about it.
  await commands.authorise(token);
  parametersOf(request.target, []);
  await commands.dropGroup(parseGroupId(numberOf(match[1])), parseDiskId(numberOf(match[2])), token);
  return json({});
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

/** It goes on in the background. */
function begun(): HttpReply {
  return { ...json({}), status: 202 };
}
