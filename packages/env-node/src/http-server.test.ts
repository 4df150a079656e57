import { Server } from "node:net";
import type { HttpHandler, HttpReply, IncomingRequest, Listener, ServeOptions } from "@cairn/env";
import { isKind, limits } from "@cairn/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { NodeNetwork } from "./network.ts";
import { RawConnection } from "./testing/raw-connection.ts";

const bodyMax = 1000;
const network = new NodeNetwork();
const open: AsyncDisposable[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

/** Answers with method, target and body; refuses larger bodies with 413 and broken ones with 400. */
const echo: HttpHandler = async (request) => {
  try {
    const body = await request.body(bodyMax);
    return text(200, `<${request.method} ${request.target} ${Buffer.from(body).toString()}>`);
  } catch (error) {
    return { status: isKind(error, "too-large") ? 413 : 400 };
  }
};

function text(status: number, content: string): HttpReply {
  return { status, body: [Buffer.from(content)] };
}

async function serve(handler: HttpHandler, options: Partial<ServeOptions> = {}): Promise<Listener> {
  const listener = await network.serve(handler, { host: "127.0.0.1", port: 0, requestsMax: 100, ...options });
  open.push(listener);
  return listener;
}

function talk(listener: Listener, first = ""): RawConnection {
  const connection = new RawConnection(listener.port).send(first);
  open.push(connection);
  return connection;
}

function get(target: string, ...headers: string[]): string {
  return [`GET ${target} HTTP/1.1`, "Host: here", ...headers, "", ""].join("\r\n");
}

function put(target: string, length: number, body = "x".repeat(length)): string {
  return `PUT ${target} HTTP/1.1\r\nHost: here\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

test("one connection serves many requests, also when they come all at once", async () => {
  const listener = await serve(echo);
  const connection = talk(listener, get("/1"));
  await connection.sees("<GET /1 >");
  connection.send(put("/2?a=%20b", 5, "hello"));
  await connection.sees("<PUT /2?a=%20b hello>");
  connection.send(get("/3") + put("/4", 2, "hi") + get("/5"));
  const all = await connection.sees("<GET /5 >");
  expect(all.indexOf("/3")).toBeLessThan(all.indexOf("/4"));
  expect(all.match(/HTTP\/1\.1 200/g)).toHaveLength(5);
  expect(all.toLowerCase()).not.toContain("connection: close");
});

test("after a refused body of moderate size the next request on the connection is understood", async () => {
  const listener = await serve(echo);
  const hidden = get("/hidden");
  const connection = talk(listener, put("/large", 20_000, hidden + "x".repeat(20_000 - hidden.length)) + get("/next"));
  const all = await connection.sees("<GET /next >");
  expect(all).toMatch(/^HTTP\/1\.1 413/);
  expect(all.match(/HTTP\/1\.1/g)).toHaveLength(2);
  expect(all).not.toContain("hidden");
});

test("after a refused body of great size the refusal arrives and the connection ends, whatever follows", async () => {
  const listener = await serve(echo);
  for (const sent of [1000, 3_000_000]) {
    const connection = talk(listener, put("/large", 3_000_000, "x".repeat(sent)));
    if (sent === 3_000_000) connection.send(get("/next"));
    await connection.sees("\r\n\r\n");
    expect(connection.received).toMatch(/^HTTP\/1\.1 413/);
    expect(connection.received.toLowerCase()).toContain("connection: close");
    const all = await connection.end();
    expect(all.match(/HTTP\/1\.1/g)).toHaveLength(1);
  }
});

test("a body without a length that grows too large is refused, and nothing in it is taken for a request", async () => {
  const listener = await serve(echo);
  const connection = talk(listener, "PUT /c HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (let part = 0; part < 10; part++) connection.send(`400\r\n${get("/hidden").padEnd(1024, "x")}\r\n`);
  connection.send(`0\r\n\r\n${get("/next")}`);
  const all = await connection.end();
  expect(all).toMatch(/^HTTP\/1\.1 413/);
  expect(all).not.toContain("hidden");
});

test("a refused body that is sent whole does not cost the client its answer", async () => {
  const listener = await serve(echo);
  const url = `http://127.0.0.1:${listener.port}/large`;
  await using client = new NodeNetwork();
  for (let attempt = 0; attempt < 5; attempt++) {
    const body = [new Uint8Array(2_000_000), new Uint8Array(1_000_000)];
    const reply = await client.request({ method: "PUT", url, body, timeoutMs: 5000, replyBytesMax: 100 });
    expect(reply.status).toBe(413);
  }
});

test("a client that is still sending when its body is refused gets the refusal all the same", async () => {
  const listener = await serve(echo);
  const connection = talk(listener);
  connection.pause();
  // The refusal is on its way after the first part; a server that closed at once would answer the others with a reset.
  for (let part = 0; part < 4; part++) {
    connection.send(part === 0 ? put("/large", 400_000, "x".repeat(100_000)) : "x".repeat(100_000));
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  connection.resume();
  expect(await connection.end()).toMatch(/^HTTP\/1\.1 413/);
});

test("a body that ends early is invalid to the handler", async () => {
  const kinds: unknown[] = [];
  let called: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    called = resolve;
  });
  const listener = await serve(async (request) => {
    kinds.push(await failure(request.body(bodyMax)));
    // What has ended once does not keep anybody waiting.
    kinds.push(await failure(request.body(bodyMax)));
    called();
    return { status: 400 };
  });
  const connection = talk(listener, put("/a", 100, "only this"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await connection.reset();
  await over;
  expect(kinds.map((error) => isKind(error, "invalid"))).toEqual([true, true]);
});

test("a body that comes too slowly is invalid to the handler", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const listener = await serve(echo);
  const connection = talk(listener, put("/slow", 500, ""));
  for (let byte = 0; byte < 3; byte++) {
    connection.send("x");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  vi.advanceTimersByTime(limits.bodyStallMs);
  expect(await connection.sees("\r\n\r\n")).toMatch(/^HTTP\/1\.1 400/);
});

test.each([
  ["two Host headers", "GET / HTTP/1.1\r\nHost: here\r\nHost: there\r\n\r\n"],
  ["no Host header", "GET / HTTP/1.1\r\n\r\n"],
  ["a whole URL as target", "GET http://there/ HTTP/1.1\r\nHost: here\r\n\r\n"],
  [
    "length and transfer encoding",
    "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["two lengths", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody"],
  ["two lengths in one header", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 4\r\n\r\nbody"],
  ["a negative length", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"],
  ["an encoding that only looks chunked", "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
  ["a space before the colon", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length : 0\r\n\r\n"],
  ["a folded header", "GET / HTTP/1.1\r\nHost: h\r\nX-A: b\r\n c\r\n\r\n"],
  ["a bare line feed", "GET / HTTP/1.1\nHost: h\n\n"],
])("a request with %s is answered 400 and never reaches the handler", async (_, request) => {
  const reached: string[] = [];
  const listener = await serve(async ({ target }) => {
    reached.push(target);
    return { status: 200 };
  });
  const connection = talk(listener, request);
  expect(await connection.sees("\r\n\r\n")).toMatch(/^HTTP\/1\.1 400/);
  expect(reached).toEqual([]);
});

test("headers larger than the limit are answered 431, up to it they are taken", async () => {
  const listener = await serve(echo);
  const large = talk(listener, get("/", `X-Large: ${"x".repeat(limits.headerBytesMax)}`));
  expect(await large.end()).toMatch(/^HTTP\/1\.1 431/);
  const fitting = talk(listener, get("/", `X-Large: ${"x".repeat(limits.headerBytesMax - 200)}`));
  expect(await fitting.sees("<GET / >")).toMatch(/^HTTP\/1\.1 200/);
});

test("the answer to HEAD tells the length and carries no body", async () => {
  const listener = await serve(async () => text(200, "hello"));
  const connection = talk(listener, `${get("/").replace("GET", "HEAD")}${get("/")}`);
  const [head, second] = (await connection.sees("hello")).split("\r\n\r\n");
  expect(head?.toLowerCase()).toContain("content-length: 5");
  expect(second).toMatch(/^HTTP\/1\.1 200/);
});

test.each([204, 304])("an answer %i carries neither body nor length", async (status) => {
  const listener = await serve(async ({ target }) => (target === "/" ? text(status, "hello") : text(200, "next")));
  const connection = talk(listener, get("/") + get("/next"));
  const [head] = (await connection.sees("next")).split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status}`));
  expect(head?.toLowerCase()).not.toContain("content-length");
  expect(connection.received).not.toContain("hello");
});

test("several parts of a body arrive one after the other with their whole length", async () => {
  const parts = ["a", "", "bc", "d".repeat(100_000), "e"].map((part) => Buffer.from(part));
  const listener = await serve(async () => ({ status: 200, headers: { "x-own": "1" }, body: parts }));
  const connection = talk(listener, get("/", "Connection: close"));
  const [head, body] = (await connection.end()).split("\r\n\r\n");
  expect(head).toContain("content-length: 100004");
  expect(head).toContain("x-own: 1");
  expect(body).toBe(Buffer.concat(parts).toString());
});

test("a request keeps a sane id that it brings, and gets one of its own instead of any other", async () => {
  const ids: string[] = [];
  const listener = await serve(async (request) => {
    ids.push(request.id, request.id);
    return text(200, "ok");
  });
  const given = ["req_abc-123", "x".repeat(64), "x".repeat(65), "two words", "<script>", "a;b", ""];
  const connection = talk(listener, given.map((id) => get("/", `X-Request-Id: ${id}`)).join("") + get("/"));
  await connection.sees("ok", given.length + 1);
  expect(ids.slice(0, 4)).toEqual(["req_abc-123", "req_abc-123", "x".repeat(64), "x".repeat(64)]);
  const own = ids.slice(4);
  expect(own.every((id) => /^req_[0-9a-f]{18}$/.test(id))).toBe(true);
  expect(new Set(own).size).toBe(own.length / 2);
});

test("requests over the limit are answered 503 at once, and served again when others have ended", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let waiting = 0;
  const listener = await serve(
    async ({ target }) => {
      if (target === "/hold") {
        waiting++;
        await held;
      }
      return text(200, `<${target}>`);
    },
    { requestsMax: 2 },
  );
  const holders = [talk(listener, get("/hold")), talk(listener, get("/hold"))];
  await vi.waitUntil(() => waiting === 2);
  const other = talk(listener, get("/now"));
  const refusal = (await other.sees("\r\n\r\n")).toLowerCase();
  expect(refusal).toMatch(/^http\/1\.1 503/);
  expect(refusal).toContain("retry-after: 1");
  release();
  for (const holder of holders) await holder.sees("</hold>");
  // The refusal did not cost the connection.
  other.send(get("/later"));
  await other.sees("</later>");
});

test("a reply that its client does not take counts as under way until the client is gone", async () => {
  const listener = await serve(
    async ({ target }) => ({ status: 200, body: [Buffer.alloc(target === "/large" ? 2 ** 25 : 1)] }),
    {
      requestsMax: 1,
    },
  );
  const slow = talk(listener);
  slow.pause();
  slow.send(get("/large"));
  const status = async (): Promise<string> =>
    (await talk(listener, get("/small", "Connection: close")).end()).slice(9, 12);
  await vi.waitUntil(async () => (await status()) === "503", { timeout: 5000 });
  await slow.reset();
  await vi.waitUntil(async () => (await status()) === "200", { timeout: 5000 });
});

test("a handler that throws, or makes an answer that cannot be sent, becomes a bare 500", async () => {
  const listener = await serve(async ({ target }) => {
    if (target === "/throw") throw new Error("the secret reason");
    if (target === "/header") return { status: 200, headers: { "x-bad": "a\r\nset-cookie: b" } };
    if (target === "/status") return { status: 7 };
    return text(200, "<well>");
  });
  for (const target of ["/throw", "/header", "/status"]) {
    const connection = talk(listener, get(target));
    expect(await connection.sees("\r\n\r\n"), target).toMatch(/^HTTP\/1\.1 500/);
    expect(connection.received.toLowerCase(), target).toMatch(/content-length: 0\r\n/);
    expect(connection.received).not.toMatch(/secret|cookie|\bat /);
    connection.send(get("/"));
    await connection.sees("<well>");
  }
});

test("the signal aborts when the client goes away, also for one who asks late, and never after a whole answer", async () => {
  const signals = new Map<string, AbortSignal>();
  const gone: string[] = [];
  const listener = await serve(async (request: IncomingRequest) => {
    if (request.target === "/short") {
      signals.set("short", request.signal);
      return text(200, "<short>");
    }
    const signal = request.signal;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    gone.push(request.target);
    return { status: 200 };
  });
  const connection = talk(listener, get("/short"));
  await connection.sees("<short>");
  connection.send(get("/hold"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await connection.reset();
  await vi.waitUntil(() => gone.length === 1);
  expect(signals.get("short")?.aborted).toBe(false);
});

test("a signal that is asked for after the client has gone is aborted already", async () => {
  let late: boolean | undefined;
  let reached = false;
  const listener = await serve(async (request) => {
    reached = true;
    await new Promise((resolve) => setTimeout(resolve, 60));
    late = request.signal.aborted;
    return { status: 200 };
  });
  const connection = talk(listener, get("/"));
  await vi.waitUntil(() => reached);
  await connection.reset();
  await vi.waitUntil(() => late !== undefined);
  expect(late).toBe(true);
});

test("a server that stops lets requests under way finish, closes their connections and takes no new ones", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let reached = 0;
  const listener = await network.serve(
    async () => {
      reached++;
      await held;
      return text(200, "<done>");
    },
    { host: "127.0.0.1", port: 0, requestsMax: 10 },
  );
  const connection = talk(listener, get("/"));
  await vi.waitUntil(() => reached === 1);
  const start = performance.now();
  const stopped = listener[Symbol.asyncDispose]();
  expect(await talk(listener, get("/")).end()).toBe("");
  release();
  expect(await connection.end()).toContain("<done>");
  await stopped;
  expect(performance.now() - start).toBeLessThan(5000);
});

test("a server that stops does not wait for connections that never asked for anything", async () => {
  const listener = await network.serve(echo, { host: "127.0.0.1", port: 0, requestsMax: 10 });
  const asked = talk(listener, get("/"));
  const silent = talk(listener);
  await asked.sees("<GET / >");
  const start = performance.now();
  await listener[Symbol.asyncDispose]();
  expect(performance.now() - start).toBeLessThan(5000);
  expect(await silent.end()).toBe("");
});

test("connections that the system refuses to hand over do not end the process, and others are served", async () => {
  const listen = vi.spyOn(Server.prototype, "listen");
  const listener = await serve(echo);
  const [server] = listen.mock.contexts as Server[];
  listen.mockRestore();
  for (let count = 0; count < 3; count++) {
    server?.emit("error", Object.assign(new Error("accept ENFILE"), { code: "ENFILE" }));
  }
  await talk(listener, get("/")).sees("<GET / >");
});

test("a port that is taken is a conflict that says what to do", async () => {
  const { port } = await serve(echo);
  const error = await failure(network.serve(echo, { host: "127.0.0.1", port, requestsMax: 1 }));
  expect(error).toMatchObject({ kind: "conflict", hint: expect.stringContaining(String(port)) });
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
