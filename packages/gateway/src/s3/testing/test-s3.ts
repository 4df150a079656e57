import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import type { AccessKey, NewAccessKey } from "@cairn/protocol";
import { TestGateway } from "../../testing/test-gateway.ts";
import type { Signed, Signer } from "../auth/testing/sign.ts";
import { type S3Server, startS3 } from "../s3-server.ts";

const host = "127.0.0.1";
const region = "us-east-1";

/** An answer of the door; `code` is that of its error document. */
export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly code: string | undefined;
}

/** A key as whoever signs with it has it. */
export interface Holder {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export type Sent = Pick<Signed, "method" | "target" | "headers">;

/** A real S3 door over real metadata and real nodes; only the nodes' disks are in memory. */
export class TestS3 implements AsyncDisposable {
  readonly gateway: TestGateway;
  readonly door: S3Server;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  private constructor(gateway: TestGateway, door: S3Server) {
    this.gateway = gateway;
    this.door = door;
  }

  /** `clock`: in place of the real one, for the door alone. */
  static async start({ clock }: { readonly clock?: TestGateway["env"]["clock"] } = {}): Promise<TestS3> {
    const gateway = await TestGateway.start();
    const { env, metadata, drive } = gateway;
    const own = { ...env, clock: clock ?? env.clock };
    const options = { ...drive, env: own, metadata, region, domains: ["s3.test"] };
    return new TestS3(gateway, await startS3(options, { host, port: 0 }));
  }

  /** What a client signs as host. */
  get host(): string {
    return `${host}:${this.door.port}`;
  }

  /** A key, with all rights if not said otherwise. */
  async key(request: Partial<NewAccessKey> = {}): Promise<Holder & { readonly key: AccessKey }> {
    const all = { name: "test", scopes: ["read", "write"] as const, ...request };
    const { key, secret } = await this.gateway.metadata.createAccessKey(all);
    return { key, accessKeyId: key.id, secretAccessKey: secret };
  }

  /** Signs for here and now, `minutes` later. */
  signer({ accessKeyId, secretAccessKey }: Holder, minutes = 0): Signer {
    const at = new Date(Date.now() + minutes * 60_000).toISOString();
    return { accessKeyId, secretAccessKey, region, timestamp: `${at.slice(0, 19).replaceAll(/[-:]/g, "")}Z` };
  }

  /** Sends a request as it is. */
  send({ method, target, headers }: Sent, body?: Uint8Array): Promise<S3Answer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": String(body.length) };
      const to = { host, port: this.door.port, method, path: target, agent: this.#agent };
      const outgoing = httpRequest({ ...to, headers: { ...length, ...headers } }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const text = Buffer.concat(parts).toString();
          const code = /<Error><Code>([^<]+)/.exec(text)?.[1];
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, code });
        });
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }

  /** Writes bytes to the port and answers all that comes back until the connection ends or nothing comes for `idleMs`. */
  talk(bytes: string | Uint8Array, idleMs = 500): Promise<string> {
    return new Promise((resolve, reject) => {
      let got = "";
      const socket = connect(this.door.port, host, () => socket.write(bytes));
      socket.setTimeout(idleMs, () => socket.destroy());
      socket.on("data", (part) => {
        got += part.toString("latin1");
      });
      socket.on("error", (error: Error & { code?: string }) =>
        error.code === "ECONNRESET" || error.code === "EPIPE" ? undefined : reject(error),
      );
      socket.on("close", () => resolve(got));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.door[Symbol.asyncDispose]();
    await this.gateway[Symbol.asyncDispose]();
  }
}

/** The request as text, to be sent byte by byte. */
export function written({ method, target, headers }: Sent, more = ""): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}${more}\r\n`;
}
