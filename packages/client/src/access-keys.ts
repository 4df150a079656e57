import type { AccessKey, NewAccessKey } from "@cairn/protocol";
import type { CallOptions } from "./options.ts";
import { type Json, type JsonPage, timeOf } from "./rest/resources.ts";
import type { RestClient } from "./rest/rest-client.ts";

/** What an S3 client needs; the secret is told this once. */
export interface S3Credentials {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Access keys of the S3 door. They need a token with the scope admin. */
export class AccessKeysClient {
  readonly #rest: RestClient;

  constructor(rest: RestClient) {
    this.#rest = rest;
  }

  async create(request: NewAccessKey, { signal }: CallOptions = {}): Promise<S3Credentials> {
    const call = { operation: "create access key", path: "/s3/keys", body: request, signal };
    const { endpoint, region, accessKeyId, secretAccessKey } = await this.#rest.once<S3Credentials>("POST", call);
    return { endpoint, region, accessKeyId, secretAccessKey };
  }

  async list({ signal }: CallOptions = {}): Promise<readonly AccessKey[]> {
    const page = await this.#rest.get<JsonPage>({ operation: "list access keys", path: "/s3/keys", signal });
    return page.items.map(keyOf);
  }

  async revoke(id: string, { signal }: CallOptions = {}): Promise<void> {
    const path = `/s3/keys/${encodeURIComponent(id)}`;
    await this.#rest.change("DELETE", { operation: "revoke access key", path, signal });
  }
}

function keyOf(json: Json): AccessKey {
  return {
    id: String(json["accessKeyId"]),
    name: String(json["name"]),
    scopes: json["scopes"] as AccessKey["scopes"],
    ...(json["drives"] ? { drives: json["drives"] as string[] } : {}),
    createdAt: timeOf(json["createdAt"]) ?? 0,
    expiresAt: timeOf(json["expiresAt"]),
  };
}
