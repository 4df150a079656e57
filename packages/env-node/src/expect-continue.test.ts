import type { HttpHandler, Listener } from "@cairn/env";
import { isKind } from "@cairn/protocol";
import { afterEach, expect, test } from "vitest";
import { NodeNetwork } from "./network.ts";
import { RawConnection } from "./testing/raw-connection.ts";

const bodyMax = 1000;
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const echo: HttpHandler = async (request) => {
  try {
    return { status: 200, body: [Buffer.concat([Buffer.from("got "), await request.body(bodyMax)])] };
  } catch (error) {
    return { status: isKind(error, "too-large") ? 413 : 400 };
  }
};

async function serve(handler: HttpHandler): Promise<Listener> {
  const listener = await new NodeNetwork().serve(handler, { host: "127.0.0.1", port: 0, requestsMax: 100 });
  open.push(listener);
  return listener;
}

/** A request that waits to be told that its body is wanted. */
function announce(listener: Listener, length: number): RawConnection {
  const head = `POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const connection = new RawConnection(listener.port).send(head);
  open.push(connection);
  return connection;
}

test("a body is asked for when the handler wants it", async () => {
  const connection = announce(await serve(echo), 5);
  await connection.sees("100 Continue");
  expect(await connection.send("hello").sees("got hello")).toMatch(/^HTTP\/1\.1 100 .*\r\n\r\nHTTP\/1\.1 200 /);
});

test("a request that is refused is never asked for its body, and its connection ends", async () => {
  for (const [handler, length, status] of [
    [echo, bodyMax + 1, "413"],
    [async () => ({ status: 401 }), 5, "401"],
  ] as const) {
    const answer = await announce(await serve(handler), length).sees(status);
    expect(answer).not.toContain("100 Continue");
    expect(answer.toLowerCase()).toContain("connection: close");
  }
});
