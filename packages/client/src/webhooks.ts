import type { Webhook } from "@cairn/protocol";
import type { CallOptions } from "./options.ts";
import { type Json, type JsonPage, timeOf } from "./rest/resources.ts";
import type { RestClient } from "./rest/rest-client.ts";

/** A webhook as its users need it: `target` is how notifications of buckets name it. */
export interface WebhookTarget extends Webhook {
  readonly target: string;
}

/** Webhooks that notifications of buckets may name. They need a token with the scope admin. */
export class WebhooksClient {
  readonly #rest: RestClient;

  constructor(rest: RestClient) {
    this.#rest = rest;
  }

  /** A known name gets the new address. Answers how buckets name it. Throws invalid. */
  async put(name: string, url: string, { signal }: CallOptions = {}): Promise<string> {
    const call = { operation: "add webhook", path: "/s3/webhooks", body: { name, url }, signal };
    return String((await this.#rest.change<Json>("POST", call))["target"]);
  }

  async list({ signal }: CallOptions = {}): Promise<readonly WebhookTarget[]> {
    const page = await this.#rest.get<JsonPage>({ operation: "list webhooks", path: "/s3/webhooks", signal });
    return page.items.map((json) => ({
      ...{ name: String(json["name"]), url: String(json["url"]), target: String(json["target"]) },
      ...{ createdAt: timeOf(json["createdAt"]) ?? 0, waiting: Number(json["waiting"]) },
    }));
  }

  /** With what waits for it. Throws not-found, conflict (a bucket names it). */
  async remove(name: string, { signal }: CallOptions = {}): Promise<void> {
    const path = `/s3/webhooks/${encodeURIComponent(name)}`;
    await this.#rest.change("DELETE", { operation: "remove webhook", path, signal });
  }
}
