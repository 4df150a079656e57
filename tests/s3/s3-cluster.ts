import { createHash } from "node:crypto";
import { GetObjectCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { CairnClient } from "@cairn/client";
import { TestCluster, temporaryFolder } from "../support/processes.ts";

/** A local cluster with a key for its S3 door. */
export class S3Cluster implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly client: CairnClient;
  readonly credentials: Awaited<ReturnType<CairnClient["accessKeys"]["create"]>>;
  readonly #folder: Disposable;
  readonly #clients: S3Client[] = [];
  #reader: S3Client | undefined;

  private constructor(
    cluster: TestCluster,
    client: CairnClient,
    own: { credentials: S3Cluster["credentials"]; folder: Disposable },
  ) {
    this.cluster = cluster;
    this.client = client;
    this.credentials = own.credentials;
    this.#folder = own.folder;
  }

  /** `args`: more options of `cairn start`. */
  static async start(args: readonly string[] = []): Promise<S3Cluster> {
    const folder = temporaryFolder();
    const cluster = await TestCluster.start(folder.path, args);
    const client = new CairnClient(cluster.profile);
    const credentials = await client.accessKeys.create({ name: "test", scopes: ["read", "write"] });
    return new S3Cluster(cluster, client, { credentials, folder });
  }

  /** A client of the AWS SDK as a user sets it up. */
  sdk(config: S3ClientConfig = {}): S3Client {
    const { endpoint, region, accessKeyId, secretAccessKey } = this.credentials;
    const credentials = { accessKeyId, secretAccessKey };
    const made = new S3Client({ endpoint, region, forcePathStyle: true, credentials, ...config });
    this.#clients.push(made);
    return made;
  }

  /** The whole object, or a range of it such as `bytes=0-9`. */
  async bytesOf(object: {
    readonly Bucket: string;
    readonly Key: string;
    readonly Range?: string | undefined;
  }): Promise<Buffer> {
    this.#reader ??= this.sdk();
    const { Body } = await this.#reader.send(new GetObjectCommand(object));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  /** Requests for chunks that the nodes which run have answered since they started, by route. */
  async chunkRequests(): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    for (const { name, url } of (await this.cluster.status()).processes) {
      if (!name.startsWith("node-") || url === undefined) continue;
      const text = await fetch(`${url}/metrics`).then(
        (reply) => reply.text(),
        () => "",
      );
      for (const [, route = "", count] of text.matchAll(
        /^cairn_chunk_requests_total\{[^}]*route="([\w-]+)"[^}]*\} (\d+)$/gm,
      ))
        sums.set(route, (sums.get(route) ?? 0) + Number(count));
    }
    return sums;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.client[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** Name and status of the refusal. */
export async function refusal(work: Promise<unknown>): Promise<[string, number | undefined]> {
  const error = await work.then(
    () => undefined,
    (thrown: Error & { $metadata?: { httpStatusCode?: number } }) => thrown,
  );
  return [error?.name ?? "no error", error?.$metadata?.httpStatusCode];
}

/** In hex. */
export const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
