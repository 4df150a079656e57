import { once } from "node:events";
import { Agent, createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FaultProxy } from "./fault-proxy.ts";

describe("a proxy before a server", () => {
  let server: Server;
  let proxy: FaultProxy;
  let agent: Agent;
  let bodies: string[];

  beforeEach(async () => {
    bodies = [];
    server = createServer(async (incoming, outgoing) => {
      let body = "";
      for await (const piece of incoming) body += String(piece);
      bodies.push(`${incoming.method} ${incoming.url} ${body}`);
      outgoing.end(incoming.url === "/long" ? "x".repeat(300_000) : `saw ${body}`);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy = await FaultProxy.listen({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
    agent = new Agent({ keepAlive: true });
  });

  afterEach(async () => {
    agent.destroy();
    await proxy[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });

  /** The answer's body, or the code of what went wrong. */
  function ask(path: string, body = "", timeoutMs = 2000): Promise<string> {
    return new Promise((resolve) => {
      const outgoing = request(
        { agent, port: proxy.port, path, method: "POST", headers: { "content-length": body.length } },
        (incoming) => {
          let text = "";
          incoming.on("data", (piece) => {
            text += piece;
          });
          incoming.on("end", () => resolve(text));
          incoming.on("error", (error: NodeJS.ErrnoException) => resolve(`${error.code} after ${text.length}`));
        },
      );
      outgoing.setTimeout(timeoutMs, () => outgoing.destroy(Object.assign(new Error(), { code: "TIMEOUT" })));
      outgoing.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
      outgoing.end(body);
    });
  }

  test("passes bytes both ways", async () => {
    expect(await ask("/", "hello")).toBe("saw hello");
    expect((await ask("/long")).length).toBe(300_000);
  });

  test("delays", async () => {
    proxy.mode = { kind: "latency", ms: 100 };
    const begin = performance.now();
    expect(await ask("/", "slow")).toBe("saw slow");
    expect(performance.now() - begin).toBeGreaterThan(190);
  });

  test("swallows everything, or one direction, until it passes again", async () => {
    proxy.mode = { kind: "blackhole" };
    expect(await ask("/", "a", 200)).toBe("TIMEOUT");
    expect(bodies).toEqual([]);
    proxy.mode = { kind: "one-way", drop: "to-client" };
    expect(await ask("/", "b", 200)).toBe("TIMEOUT");
    expect(bodies).toEqual(["POST / b"]);
    proxy.mode = { kind: "pass" };
    expect(await ask("/", "c")).toBe("saw c");
  });

  test("refuses new connections and resets those that stand", async () => {
    await ask("/", "before");
    proxy.mode = { kind: "refuse" };
    expect(await ask("/", "x")).toBe("ECONNRESET");
  });

  test("resets or cuts an answer after so many bytes, so many times", async () => {
    proxy.mode = { kind: "reset-after", bytes: 1000, direction: "to-client", times: 1 };
    expect(await ask("/long")).toMatch(/^ECONNRESET after \d{1,3}$|^ECONNRESET$/);
    expect((await ask("/long")).length).toBe(300_000);
    agent.destroy();
    agent = new Agent({ keepAlive: true });
    proxy.mode = { kind: "truncate-after", bytes: 200_000, direction: "to-client", times: 1 };
    expect(await ask("/long")).toMatch(/ECONNRESET after 19/);
    expect(proxy.injected).toBe(1);
  });

  test("slows down", async () => {
    proxy.mode = { kind: "throttle", bytesPerSecond: 1000 };
    const begin = performance.now();
    expect(await ask("/", "s".repeat(200))).toContain("saw sss");
    expect(performance.now() - begin).toBeGreaterThan(400);
  });

  test("flips one bit of a request or an answer", async () => {
    proxy.mode = { kind: "flip-byte", at: 100_000, direction: "to-client", times: 1 };
    const answer = await ask("/long");
    expect(answer.length).toBe(300_000);
    expect(answer.replaceAll("x", "")).toBe("y");
  });

  test("sends a request twice; the client gets one answer", async () => {
    await ask("/first", "0");
    proxy.mode = { kind: "duplicate-request", matching: /^POST \/again/, times: 1 };
    expect(await ask("/other", "1")).toBe("saw 1");
    expect(await ask("/again", "2".repeat(100_000))).toBe(`saw ${"2".repeat(100_000)}`);
    for (let turn = 0; bodies.length < 4 && turn < 100; turn++) await new Promise((done) => setTimeout(done, 10));
    expect(bodies.map((it) => it.slice(0, 14))).toEqual([
      "POST /first 0",
      "POST /other 1",
      "POST /again 22",
      "POST /again 22",
    ]);
    expect(bodies[3]).toBe(bodies[2]);
  });

  test("loses the answer of a request that was carried out", async () => {
    proxy.mode = { kind: "drop-response", matching: /\/commit/, times: 1 };
    expect(await ask("/other", "1")).toBe("saw 1");
    expect(await ask("/commit", "2")).toBe("ECONNRESET");
    expect(await ask("/commit", "3")).toBe("saw 3");
    expect(bodies).toEqual(["POST /other 1", "POST /commit 2", "POST /commit 3"]);
  });
});
