import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { idOf, TestGateway } from "../testing/test-gateway.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("a download that fails in its middle ends with a broken connection, never with a clean end", {
  timeout: 60_000,
}, async () => {
  const logged: string[] = [];
  await using gateway = await TestGateway.start({ logged });
  const bytes = randomBytes(60 * 1024 * 1024);
  const id = idOf(await gateway.put("large.bin", bytes));
  const got = await new Promise<{ head: string; length: number; failed: boolean }>((resolve) => {
    let length = 0;
    let head = "";
    const socket = connect(gateway.port, "127.0.0.1", () =>
      socket.write(
        `GET /api/v1/files/${id}/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.tokens.read}\r\n\r\n`,
      ),
    );
    socket.once("data", async (first: Buffer) => {
      head = first.toString("latin1").split("\r\n\r\n")[0] ?? "";
      length = first.length;
      // Nothing is read until all nodes are gone: what is still missing then cannot come.
      socket.pause();
      await gateway.stopNodes();
      socket.on("data", (part: Buffer) => {
        length += part.length;
      });
      socket.resume();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve({ head, length, failed: length < bytes.length }));
  });
  expect(got.head).toMatch(/^HTTP\/1.1 200 [\s\S]*content-length: 62914560/);
  expect(got.failed).toBe(true);
  expect(logged.join("")).toContain("a download broke off in its middle");
});

test("without enough nodes writes and reads are refused as 503, in words, and the refusal arrives", {
  timeout: 60_000,
}, async () => {
  await using gateway = await TestGateway.start();
  const bytes = randomBytes(300_000);
  const id = idOf(await gateway.put("there.bin", bytes));
  await gateway.stopNodes();
  for (const answer of [
    await gateway.call(`/files/${id}/content`),
    await gateway.put("new.bin", randomBytes(20_000_000)),
  ]) {
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("1");
    expect(answer.json).toMatchObject({
      code: "unavailable",
      retryable: true,
      request_id: answer.headers["x-request-id"],
    });
    expect(JSON.stringify(answer.json)).toMatch(/node-[12]|nodes|copies/);
  }
  expect((await gateway.call("/files?path=/new.bin")).status).toBe(404);
  expect((await gateway.call("/files?path=/there.bin")).status).toBe(200);
  expect((await gateway.raw("/healthz")).status).toBe(200);
});

test("more uploads at once than there is room for are told to come again, and the rest goes on", async () => {
  await using gateway = await TestGateway.start({ requestsMax: { upload: 1 } });
  const open = (name: string) => {
    const socket = connect(gateway.port, "127.0.0.1");
    socket.write(
      `PUT /api/v1/files/by-path/${name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.tokens.write}\r\nContent-Length: 5\r\n\r\nhe`,
    );
    return socket;
  };
  const first = open("first");
  await pause(200);
  const refused = await gateway.put("second", "x");
  expect(refused.json).toMatchObject({ status: 503, code: "overloaded", retryable: true });
  expect(refused.headers["retry-after"]).toBe("1");
  expect((await gateway.call("/files?path=/")).status).toBe(200);
  const waiting = gateway.put("third", "x");
  await pause(100);
  first.write("llo");
  expect((await waiting).status).toBe(200);
  first.destroy();
  const left = open("left");
  await pause(200);
  left.destroy();
  await pause(100);
  expect((await gateway.put("fourth", "x")).status).toBe(200);
});

test("a gateway that stops finishes what is under way, takes nothing new, and is gone soon", async () => {
  await using gateway = await TestGateway.start();
  const uploading = connect(gateway.port, "127.0.0.1");
  const body = "0123456789";
  let got = "";
  uploading.on("data", (part) => {
    got += part.toString();
  });
  uploading.write(
    `PUT /api/v1/files/by-path/last.txt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${gateway.tokens.write}\r\nContent-Length: 10\r\n\r\n${body.slice(0, 5)}`,
  );
  const idle = connect(gateway.port, "127.0.0.1");
  idle.on("error", () => undefined);
  await pause(200);
  const stopping = gateway.stopGateway();
  await pause(50);
  await expect(gateway.raw("/healthz")).rejects.toMatchObject({ code: expect.stringMatching(/ECONN/) });
  uploading.write(body.slice(5));
  const started = Date.now();
  await stopping;
  expect(Date.now() - started).toBeLessThan(3000);
  if (!uploading.closed) await new Promise((resolve) => uploading.once("close", resolve));
  expect(got).toMatch(/^HTTP\/1.1 200 /);
  expect(got).toMatch(/connection: close/i);
  idle.destroy();
});
