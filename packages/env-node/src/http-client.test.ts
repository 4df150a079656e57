import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import type { OutgoingRequest } from "@cairn/env";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NodeNetwork } from "./network.ts";

let network: NodeNetwork;
const open: AsyncDisposable[] = [];
beforeEach(() => {
  network = new NodeNetwork();
});
afterEach(async () => {
  await network[Symbol.asyncDispose]();
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

/** A plain Node server; gives its URL and how many connections it has had. */
async function serve(listener: RequestListener): Promise<{ url: string; connections: () => number }> {
  const server = createServer(listener);
  let connections = 0;
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, connections: () => connections };
}

/** A server that answers each request with these bytes and, if told so, ends the connection. */
async function serveRaw(answer: string, ending: "keep" | "end" | "reset" = "keep"): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", () => {
      socket.write(answer, () => {
        if (ending === "end") socket.end();
        if (ending === "reset") socket.resetAndDestroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function ask(url: string, more: Partial<OutgoingRequest> = {}): ReturnType<NodeNetwork["request"]> {
  return network.request({ method: "GET", url, timeoutMs: 5000, replyBytesMax: 1000, ...more });
}

test("a reply comes whole, with status, headers and body; failures of the server are replies too", async () => {
  const { url } = await serve((request, response) => {
    response.writeHead(request.url === "/bad?a=%20" ? 503 : 200, { "X-Own": "1", "Set-Cookie": ["a", "b"] });
    response.end(`${request.method} ${request.url} ${request.headers["x-mine"]}`);
  });
  const reply = await ask(`${url}path`, { headers: { "x-mine": "yes" } });
  expect(reply.status).toBe(200);
  expect(reply.headers).toMatchObject({ "x-own": "1", "set-cookie": "a, b" });
  expect(Buffer.from(reply.body).toString()).toBe("GET /path yes");
  expect((await ask(`${url}bad?a=%20`)).status).toBe(503);
});

test("a connection is used again, and as many as are needed at once", async () => {
  const { url, connections } = await serve((_, response) => setTimeout(() => response.end("ok"), 5));
  // The next request may come a moment before the connection of the last one is free again, hence two.
  for (let count = 0; count < 10; count++) await ask(url);
  expect(connections()).toBeLessThanOrEqual(2);
  await Promise.all(Array.from({ length: 10 }, () => ask(url)));
  expect(connections()).toBeLessThanOrEqual(12);
});

test("the parts of a body arrive in order and as one, with their length", async () => {
  const { url } = await serve(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    response.setHeader("x-length", String(request.headers["content-length"]));
    response.end(Buffer.concat(pieces));
  });
  const send = async (...parts: string[]): Promise<[string, string | undefined]> => {
    const body = parts.map((part) => Buffer.from(part));
    const reply = await ask(url, { method: "PUT", body, replyBytesMax: 1_000_000 });
    return [Buffer.from(reply.body).toString(), reply.headers["x-length"]];
  };
  expect(await send("a", "", "bc", "def")).toEqual(["abcdef", "6"]);
  expect(await send("alone")).toEqual(["alone", "5"]);
  expect(await send("")).toEqual(["", "0"]);
  expect(await send()).toEqual(["", "0"]);
  const large = Array.from({ length: 300 }, (_, index) => String.fromCharCode(97 + (index % 26)).repeat(1000));
  expect(await send(...large)).toEqual([large.join(""), "300000"]);
});

test("nobody there is unavailable, and known to be unreachable", async () => {
  const { url } = await serve((_, response) => response.end());
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
  expect(await failure(ask(url))).toMatchObject({
    kind: "unavailable",
    details: { code: "ECONNREFUSED", unreachable: true },
  });
});

test("no answer in time is unavailable, and not known to be unreachable", async () => {
  const { url } = await serve(() => undefined);
  const error = await failure(ask(url, { timeoutMs: 40 }));
  expect(error).toMatchObject({ kind: "unavailable", details: { code: "TIMEOUT", unreachable: false } });
});

test("the time counts for the whole exchange, not for each piece", async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write("x"), 10);
    response.on("close", () => clearInterval(drip));
  });
  expect(await failure(ask(url, { timeoutMs: 80 }))).toMatchObject({ kind: "unavailable" });
});

test("an abort is cancelled: before, while waiting, while the reply comes, and nothing after it", async () => {
  let gone = 0;
  const { url } = await serve((request, response) => {
    response.on("close", () => gone++);
    if (request.url === "/start") response.write("x");
    if (request.url === "/whole") response.end("whole");
  });
  expect(await failure(ask(url, { signal: AbortSignal.abort() }))).toMatchObject({ kind: "cancelled" });
  for (const path of ["wait", "start"]) {
    const controller = new AbortController();
    const request = failure(ask(url + path, { signal: controller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    controller.abort();
    expect(await request).toMatchObject({ kind: "cancelled" });
  }
  const controller = new AbortController();
  const reply = await ask(`${url}whole`, { signal: controller.signal });
  controller.abort();
  expect(Buffer.from(reply.body).toString()).toBe("whole");
  await expect.poll(() => gone).toBe(3);
});

test("a request that waits for a connection can be aborted or run out of time, and the others go on", async () => {
  const reached: string[] = [];
  const answers: (() => void)[] = [];
  const { url } = await serve((request, response) => {
    reached.push(request.url ?? "");
    answers.push(() => response.end("ok"));
  });
  const holders = Array.from({ length: 64 }, (_, index) => ask(`${url}${index}`));
  await expect.poll(() => reached.length).toBe(64);
  const controller = new AbortController();
  const aborted = failure(ask(`${url}aborted`, { signal: controller.signal }));
  const late = failure(ask(`${url}late`, { timeoutMs: 30 }));
  const patient = ask(`${url}patient`);
  controller.abort();
  expect(await aborted).toMatchObject({ kind: "cancelled" });
  expect(await late).toMatchObject({ kind: "unavailable", details: { code: "TIMEOUT" } });
  for (const answer of answers.splice(0)) answer();
  await Promise.all(holders);
  await expect.poll(() => answers.length).toBe(1);
  for (const answer of answers) answer();
  expect((await patient).status).toBe(200);
  expect(reached.slice(64)).toEqual(["/patient"]);
});

test.each([
  ["with a length", (response: Parameters<RequestListener>[1]) => response.setHeader("content-length", 1001)],
  ["without a length", () => undefined],
])("a reply larger than allowed, %s, is too-large; one of just that size is not", async (_, prepare) => {
  const { url } = await serve((request, response) => {
    if (request.url === "/fits") return response.end("x".repeat(1000));
    prepare(response);
    response.write("x".repeat(600));
    return response.end("x".repeat(401));
  });
  expect(await failure(ask(url))).toMatchObject({ kind: "too-large" });
  expect((await ask(`${url}fits`)).body).toHaveLength(1000);
});

test("an answer to HEAD may tell any length", async () => {
  const { url } = await serve((_, response) => {
    response.setHeader("content-length", 1_000_000);
    response.end();
  });
  for (let count = 0; count < 2; count++) {
    const reply = await ask(url, { method: "HEAD" });
    expect([reply.status, reply.headers["content-length"], reply.body.length]).toEqual([200, "1000000", 0]);
  }
});

test.each([
  ["204", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""],
  ["304 with the length of what it stands for", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", 304, ""],
  [
    "103 before the answer",
    "HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    200,
    "ok",
  ],
  ["several 1xx", `${"HTTP/1.1 102 Wait\r\n\r\n".repeat(3)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`, 200, ""],
])("a reply %s is understood", async (_, answer, status, body) => {
  const url = await serveRaw(answer);
  for (let count = 0; count < 2; count++) {
    const reply = await ask(url);
    expect([reply.status, Buffer.from(reply.body).toString(), reply.headers["x-a"]]).toEqual([status, body, undefined]);
  }
});

test.each([
  ["ends in the middle of its body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "end"],
  ["is reset in the middle of its body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "reset"],
  ["ends in the middle of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf", "end"],
  ["ends before its last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "end"],
  ["ends in its headers", "HTTP/1.1 200 OK\r\nContent-", "end"],
  ["ends before it begins", "", "end"],
  ["is no HTTP", "SSH-2.0-Server\r\n", "keep"],
] as const)("a reply that %s is unavailable, never a short body", async (_, answer, ending) => {
  const url = await serveRaw(answer, ending);
  expect(await failure(ask(url))).toMatchObject({ kind: "unavailable", details: { unreachable: false } });
});

test("closing the network ends what is under way with unavailable", async () => {
  const { url } = await serve(() => undefined);
  const request = failure(ask(url));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await network[Symbol.asyncDispose]();
  expect(await request).toMatchObject({ kind: "unavailable" });
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
