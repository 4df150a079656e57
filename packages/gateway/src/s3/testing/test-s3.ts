import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import type { AccessKey, NewAccessKey } from "@cairn/protocol";
import { TestGateway } from "../../testing/test-gateway.ts";
import type { Signed, Signer } from "../auth/testing/sign.ts";
import type { S3Options } from "../s3-options.ts";
import { type S3Server, startS3 } from "../s3-server.ts";
import { type AuthForm, formOf } from "./auth-forms.ts";

const host = "127.0.0.1";
const region = "us-east-1";

/** An answer of the door; `code` is that of its error document. */
export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  readonly code: string | undefined;
}

/** A key as whoever signs with it has it. */
export interface Holder {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What is asked for besides method and path. */
export interface Asked {
  /** As it is sent, without the question mark. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Absent: the header, with the body signed. */
  readonly form?: AuthForm;
  /** Absent: one who may do everything. */
  readonly as?: Holder;
}

export type Sent = Pick<Signed, "method" | "target" | "headers">;

/** A real S3 door over real metadata and real nodes; only the nodes' disks are in memory. */
export class TestS3 implements AsyncDisposable {
  readonly gateway: TestGateway;
  readonly door: S3Server;
  /** A key with all rights. */
  readonly owner: Holder;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  private constructor(gateway: TestGateway, { door, owner }: { readonly door: S3Server; readonly owner: Holder }) {
    this.gateway = gateway;
    this.door = door;
    this.owner = owner;
  }

  /** `change`: what is another for this door. */
  static async start(change: (options: S3Options) => Partial<S3Options> = () => ({})): Promise<TestS3> {
    const gateway = await TestGateway.start();
    const { env, metadata, drive } = gateway;
    const options = { ...drive, env, metadata, region, domains: ["s3.test"] };
    const door = await startS3({ ...options, ...change(options) }, { host, port: 0 });
    return new TestS3(gateway, { door, owner: await newKey(gateway) });
  }

  /** What a client signs as host. */
  get host(): string {
    return `${host}:${this.door.port}`;
  }

  /** A key, with all rights if not said otherwise. */
  async key(request: Partial<NewAccessKey> = {}): Promise<Holder & { readonly key: AccessKey }> {
    return await newKey(this.gateway, request);
  }

  /** Signs for here and now, `minutes` later. */
  signer({ accessKeyId, secretAccessKey }: Holder, minutes = 0): Signer {
    const at = new Date(Date.now() + minutes * 60_000).toISOString();
    return { accessKeyId, secretAccessKey, region, timestamp: `${at.slice(0, 19).replaceAll(/[-:]/g, "")}Z` };
  }

  /** Signs a request as it must be and sends it. `path` is percent-encoded. */
  async ask(method: string, path: string, asked: Asked = {}): Promise<S3Answer> {
    const { form = formOf("header, signed body"), as = this.owner, query, headers } = asked;
    const wanted = { method, path, headers: { host: this.host, ...headers }, body: Buffer.from(asked.body ?? "") };
    const ready = form.make(this.signer(as), query === undefined ? wanted : { ...wanted, query });
    return await this.send(ready.signed, ready.body);
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
          const bytes = Buffer.concat(parts);
          const text = bytes.toString();
          const code = /<Error><Code>([^<]+)/.exec(text)?.[1];
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, bytes, code });
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

async function newKey(
  gateway: TestGateway,
  request: Partial<NewAccessKey> = {},
): Promise<Holder & { readonly key: AccessKey }> {
  const all = { name: "test", scopes: ["read", "write"] as const, ...request };
  const { key, secret } = await gateway.metadata.createAccessKey(all);
  return { key, accessKeyId: key.id, secretAccessKey: secret };
}

/** The request as text, to be sent byte by byte. */
export function written({ method, target, headers }: Sent, more = ""): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}${more}\r\n`;
}
