import { limits, type NodeStatus, StorageError } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import type { GatewayOptions } from "../gateway-options.ts";
import { abortWhenGone } from "../http/client-gone.ts";

const nodesTtlMs = 2000;
const bodyBytesMax: number = limits.batchBytesMax + limits.chunkBytesMax;
const passedOn = ["x-cairn-generation", "x-cairn-length", "x-cairn-disk", "content-type"];
/** What a client may ask of a node; commands are the metadata server's alone. */
const relayed = /^(chunks|chunks\/read|chunks\/[0-9a-f]{64}|groups\/\d+\/chunks\/[0-9a-f]{64})$/;

/**
 * Passes requests of the chunk API on to a node, for clients that cannot reach it. The node is looked up by its name; a
 * client never says where to connect. `Authorization` carries the chunk token, `X-Cairn-Token` the user's.
 */
export function relayRoutes(app: FastifyInstance, { metadata, env }: GatewayOptions): void {
  let known: { nodes: readonly NodeStatus[]; until: number } | undefined;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: bodyBytesMax }, (_request, body, done) =>
    done(null, body),
  );

  app.route<{ Params: { node: string; "*": string } }>({
    method: ["GET", "HEAD", "PUT", "POST"],
    url: "/relay/:node/*",
    config: { scope: "read", pool: "relay" },
    bodyLimit: bodyBytesMax,
    schema: { summary: "The chunk API of a node that the client cannot reach", hide: true },
    handler: async (request, reply) => {
      const { node, "*": path } = request.params;
      if (!relayed.test(path)) throw new StorageError("not-found", "relay", path.slice(0, 100));
      const url = await urlOf(node);
      const query = request.raw.url?.split("?")[1];
      const { authorization, range } = request.headers;
      const gone = new AbortController();
      abortWhenGone(reply, gone);
      const answer = await env.network.request({
        method: request.method as "GET",
        url: `${url}/${path}${query === undefined ? "" : `?${query}`}`,
        headers: { ...(authorization ? { authorization } : {}), ...(range ? { range } : {}) },
        body: Buffer.isBuffer(request.body) ? [request.body] : [],
        timeoutMs: limits.nodeTimeoutMs * 3,
        signal: gone.signal,
        replyBytesMax: bodyBytesMax * 2,
      });
      for (const name of passedOn)
        if (answer.headers[name] !== undefined) void reply.header(name, answer.headers[name]);
      return reply.code(answer.status).send(Buffer.from(answer.body));
    },
  });

  async function urlOf(name: string): Promise<string> {
    const now = env.clock.monotonic();
    if (!known || known.until < now) known = { nodes: await metadata.nodes(), until: now + nodesTtlMs };
    const found = known.nodes.find(({ node }) => node === name);
    if (!found) throw new StorageError("not-found", "relay", `there is no node ${name.slice(0, 63)}`);
    return found.url;
  }
}
