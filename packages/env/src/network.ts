/** HTTP as the services see it: small messages whole, large ones bounded. */
export interface Network {
  /** Throws unavailable (refused, reset, timed out) or cancelled. A status of 4xx or 5xx is an answer, not an error. */
  request(request: OutgoingRequest): Promise<IncomingReply>;
  /** Starts to listen. Throws conflict when the port is taken. */
  serve(handler: HttpHandler, options: ServeOptions): Promise<Listener>;
}

export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH";

export interface OutgoingRequest {
  readonly method: HttpMethod;
  /** Absolute URL. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Parts are sent one after the other without being copied together. */
  readonly body?: readonly Uint8Array[];
  /** Whole exchange, ms. */
  readonly timeoutMs: number;
  /** A longer answer fails with too-large. */
  readonly replyBytesMax: number;
  readonly signal?: AbortSignal | undefined;
}

export interface IncomingReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface IncomingRequest {
  readonly method: string;
  /** Path and query as they came, undecoded. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly id: string;
  /**
   * The whole body, once. Its buffer is the handler's until the reply has left, and is used again then. Throws too-large over
   * `bytesMax`, invalid when it is cut short or slower than allowed.
   */
  body(bytesMax: number): Promise<Uint8Array>;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
}

/** Must not throw; whatever does escape becomes a bare 500. */
export type HttpHandler = (request: IncomingRequest) => Promise<HttpReply>;

export interface ServeOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Requests under way at once; more are answered 503 with Retry-After. */
  readonly requestsMax: number;
}

export interface Listener extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}
