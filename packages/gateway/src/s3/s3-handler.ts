import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { BucketDocuments } from "./bucket-documents.ts";
import { Buckets } from "./buckets.ts";
import { CallerRights } from "./caller-rights.ts";
import { DigestPool } from "./checksum/digest-pool.ts";
import { Cors } from "./configuration/cors.ts";
import { Expirations } from "./configuration/lifecycle.ts";
import { actionOf, actionsOfHeaders } from "./policy/policy-actions.ts";
import { refusalOf } from "./refusal.ts";
import { S3Keys } from "./s3-access.ts";
import { S3Authentication } from "./s3-authentication.ts";
import type { BucketCall, S3Call } from "./s3-call.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Options } from "./s3-options.ts";
import type { S3Reply } from "./s3-reply.ts";
import { readRequest } from "./s3-request.ts";
import { routeOf, type S3Route } from "./s3-routes.ts";

/** Lets a request in and hands it to its operation. */
export class S3Handler implements AsyncDisposable {
  readonly #options: S3Options;
  readonly #buckets: Buckets;
  readonly #documents: BucketDocuments;
  readonly #cors: Cors;
  readonly #expirations: Expirations;
  readonly #authentication: S3Authentication;
  readonly #digests = new DigestPool();

  constructor(options: S3Options) {
    const { env, metadata } = options;
    this.#options = options;
    this.#buckets = new Buckets(env.clock, metadata);
    this.#documents = new BucketDocuments(env.clock, metadata);
    this.#expirations = new Expirations(env.clock, { documents: this.#documents, metadata });
    this.#cors = new Cors(this.#buckets, this.#documents);
    this.#authentication = new S3Authentication(options, new S3Keys(env.clock, metadata));
  }

  /** Throws S3Errors and StorageErrors. */
  async handle(raw: IncomingMessage, response: ServerResponse, id: string): Promise<S3Reply> {
    const request = readRequest(raw, id, this.#options.domains);
    if (request.method === "OPTIONS") return await this.#cors.preflight(request);
    // Before anything is refused: a page is to see refusals too.
    await this.#cors.allow(request, response);
    const { accessKey, body } = await this.#authentication.admit(request, response);
    const route = routeOf(request);
    // Who has not signed is not told what there is to sign for.
    if (!route) throw accessKey ? notThere(request.method) : new S3Error("AccessDenied");
    const parts = { buckets: this.#buckets, documents: this.#documents };
    const call: S3Call = {
      ...{ request, options: this.#options, body, signal: goneSignal(raw.socket), digests: this.#digests },
      ...{ ...parts, rights: new CallerRights({ accessKey, request, ...parts }) },
      expirations: this.#expirations,
    };
    return await this.#run(route, call);
  }

  async #run(route: S3Route, call: S3Call): Promise<S3Reply> {
    const { request, rights } = call;
    const { bucket: name = "", key = "" } = request;
    const { right } = route;
    if (route.needs === "account") {
      rights.requireAccount(right);
      return await route.run(call);
    }
    if (route.needs === "name") {
      rights.requireNew(name, right);
      return await route.run(call, name);
    }
    if (route.needs === "form") return await this.#runForm(route, call);
    const bucket = await rights.bucketOf(name, right);
    const version = request.query.has("versionId");
    const wanted = { right, key: route.needs === "object" ? key : undefined };
    const action = actionOf(route.name, { version });
    // What asks for each key by itself is read as a whole first, and only for somebody.
    if (action === undefined) rights.requireSigned();
    const grant = action === undefined ? "full" : await rights.require(bucket, { ...wanted, action });
    if (route.needs === "bucket") return await route.run({ ...call, bucket, grant });
    for (const more of actionsOfHeaders(request.headers)) await rights.require(bucket, { ...wanted, action: more });
    return await route.run({ ...call, bucket, grant, key }).catch(async (error: unknown) => {
      throw await toldOfAbsence(error, { ...call, bucket, grant });
    });
  }

  /** Who sent a form stands in it. */
  async #runForm(route: S3Route & { readonly needs: "form" }, call: S3Call): Promise<S3Reply> {
    const { request, rights } = call;
    if (rights.accessKey) {
      await rights.bucketOf(request.bucket ?? "", route.right);
      throw new S3Error("InvalidArgument", "The credentials of a form stand in its fields.");
    }
    return await route.run(call, (fields) => this.#authentication.admitForm(fields));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#digests[Symbol.asyncDispose]();
  }
}

/** Who may not list the keys of a bucket is not told that one is not there (S3 API reference, "GetObject", permissions). */
async function toldOfAbsence(error: unknown, { rights, bucket }: BucketCall): Promise<unknown> {
  if (!["NoSuchKey", "NoSuchVersion", "MethodNotAllowed"].includes(refusalOf(error).code)) return error;
  const mayList = await rights.grantOf(bucket, { right: "read", action: "s3:ListBucket" });
  return mayList ? error : new S3Error("AccessDenied");
}

function notThere(method: string): S3Error {
  const known = ["GET", "HEAD", "PUT", "POST", "DELETE"].includes(method);
  return known ? new S3Error("NotImplemented") : new S3Error("MethodNotAllowed");
}

const goneSignals = new WeakMap<Socket, AbortSignal>();

/** Aborts when the client goes away. One for all requests of a connection: they come one after the other. */
function goneSignal(socket: Socket): AbortSignal {
  const known = goneSignals.get(socket);
  if (known) return known;
  const gone = new AbortController();
  if (socket.destroyed) gone.abort();
  else socket.once("close", () => gone.abort());
  goneSignals.set(socket, gone.signal);
  return gone.signal;
}
