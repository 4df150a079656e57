import { connect } from "node:net";
import { concatBytes, generationOf, parseChunkId, utf8 } from "@cairn/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  commandToken,
  group,
  kindOf,
  lease,
  NodeFixture,
  readToken,
  writeOf,
  writeToken,
} from "./testing/node-fixture.ts";

const anyId = "a".repeat(64);
let fixture: NodeFixture;

beforeAll(async () => {
  fixture = await NodeFixture.start();
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
});

describe("A59–A62: what a socket may send", () => {
  /** Sends text as it is and collects what comes back until the server closes, `answers` came, or time is up. */
  function talk(text: string | Uint8Array, { answers = 1, ms = 3000 } = {}): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(Number(new URL(fixture.node.url).port), "127.0.0.1");
      let heard = "";
      const end = (): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(heard);
      };
      const timer = setTimeout(end, ms);
      socket.on("data", (data) => {
        heard += data.toString("latin1");
        if (heard.split("HTTP/1.1 ").length - 1 >= answers) setTimeout(end, 50);
      });
      socket.on("close", end).on("error", end);
      socket.write(text);
    });
  }
  const statuses = (heard: string): number[] =>
    [...heard.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
  const head = (line: string, ...headers: string[]): string => `${[line, "Host: n", ...headers].join("\r\n")}\r\n\r\n`;

  test("a refused request whose body follows does not turn the body into a request", async () => {
    const inner = head("GET /healthz HTTP/1.1");
    const small = head(`PUT /chunks/${anyId}?generation=5 HTTP/1.1`, `Content-Length: ${inner.length}`) + inner;
    expect(statuses(await talk(small + inner, { answers: 2 }))).toEqual([401, 200]);
    const filler = "x".repeat(200_000);
    const large = head(`PUT /chunks/${anyId}?generation=5 HTTP/1.1`, `Content-Length: ${filler.length + inner.length}`);
    const heard = statuses(await talk(large + filler + inner, { answers: 2, ms: 1500 }));
    expect([[401], [401, 200]].map(String)).toContain(String(heard));
    expect(heard.length).toBe(1);
  });

  test("a large body that is refused early still lets its sender hear why", async () => {
    for (let attempt = 0; attempt < 5; attempt++) {
      const body = new Uint8Array(1 << 20);
      const write = { id: parseChunkId(anyId), generation: generationOf(lease, 1), bytes: body, token: "nonsense" };
      expect(await kindOf(fixture.service.put(write))).toBe("unauthenticated");
    }
  });

  test("Expect: 100-continue gets its final refusal without sending a body", async () => {
    const heard = await talk(
      head(`PUT /chunks/${anyId}?generation=5 HTTP/1.1`, "Expect: 100-continue", "Content-Length: 1000000"),
      { answers: 2, ms: 500 },
    );
    expect(statuses(heard)).toEqual([401]);
    const tooLarge = head(
      `PUT /chunks/${anyId}?generation=${generationOf(lease, 1)} HTTP/1.1`,
      "Expect: 100-continue",
      "Content-Length: 1000000000",
      `Authorization: Bearer ${writeToken()}`,
    );
    expect(statuses(await talk(tooLarge, { answers: 2, ms: 500 }))).toEqual([413]);
  });

  test("Expect: 100-continue with a good token is invited", async () => {
    const { id, generation, bytes } = await writeOf(700);
    const request = head(
      `PUT /chunks/${id}?generation=${generation} HTTP/1.1`,
      "Expect: 100-continue",
      `Content-Length: ${bytes.length}`,
      `Authorization: Bearer ${writeToken()}`,
    );
    const whole = concatBytes([utf8(request), bytes]);
    expect(statuses(await talk(whole, { answers: 2 }))).toEqual([100, 200]);
  });

  test("bodies where none belongs, and lengths that cannot be, harm nobody", async () => {
    const token = `Authorization: Bearer ${readToken()}`;
    const get = `GET /groups/3/chunks/${anyId} HTTP/1.1`;
    expect(
      statuses(
        await talk(`${head(get, token, "Content-Length: 5")}hello${head("GET /healthz HTTP/1.1")}`, { answers: 2 }),
      ),
    ).toEqual([404, 200]);
    const put = `PUT /chunks/${anyId}?generation=${generationOf(lease, 1)} HTTP/1.1`;
    const write = `Authorization: Bearer ${writeToken()}`;
    expect(statuses(await talk(head(put, write, "Content-Length: 1000000000000000000")))).toEqual([413]);
    for (const length of ["-5", "1e3", "5, 5", "0x5"]) {
      expect(statuses(await talk(head(put, write, `Content-Length: ${length}`)))).toEqual([400]);
    }
    const both = head(put, write, "Content-Length: 5", "Transfer-Encoding: chunked");
    expect(statuses(await talk(`${both}0\r\n\r\n`))).toEqual([400]);
  });

  test("an endless chunked body is cut off at the limit", async () => {
    const put = `PUT /chunks/${anyId}?generation=${generationOf(lease, 1)} HTTP/1.1`;
    const piece = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const request = head(put, `Authorization: Bearer ${writeToken()}`, "Transfer-Encoding: chunked");
    expect(statuses(await talk(request + piece.repeat(40)))).toEqual([413]);
  });

  test("a body that ends early leaves no trace, and the node goes on", async () => {
    const { id, generation, bytes } = await writeOf(710);
    const request = head(
      `PUT /chunks/${id}?generation=${generation} HTTP/1.1`,
      `Authorization: Bearer ${writeToken()}`,
      `Content-Length: ${bytes.length}`,
    );
    await talk(concatBytes([utf8(request), bytes.subarray(0, 100)]), { ms: 200 });
    expect(await kindOf(fixture.service.get({ id, group, token: readToken() }))).toBe("not-found");
    expect(statuses(await talk(head("GET /healthz HTTP/1.1")))).toEqual([200]);
  });

  test("heads that are too large answer 431, and thousands of parameters 400", async () => {
    expect(statuses(await talk(head("GET /healthz HTTP/1.1", `X-Long: ${"x".repeat(20_000)}`)))).toEqual([431]);
    const many = Array.from({ length: 5000 }, (_, index) => `X-${index}: 1`);
    expect(statuses(await talk(head("GET /healthz HTTP/1.1", ...many)))).toEqual([431]);
    expect(statuses(await talk(head(`GET /${"x".repeat(20_000)} HTTP/1.1`)))).toEqual([431]);
    const token = `Authorization: Bearer ${commandToken()}`;
    const parameters = Array.from({ length: 4000 }, () => "a=1").join("&");
    expect(statuses(await talk(head(`GET /groups/3/inventory?${parameters} HTTP/1.1`, token)))).toEqual([400]);
  });
});
