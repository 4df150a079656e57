import { StorageError, type Webhook, webhookOfTarget } from "@cairn/protocol";
import type { Store } from "../sql/store.ts";

interface WebhookRow {
  readonly name: string;
  readonly url: string;
  readonly created_at: number;
  readonly waiting: number;
}

const webhooksMax = 100;
const urlCharactersMax = 2048;

/** Where operators want events of buckets to be posted. */
export class Webhooks {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** In order of their names. */
  async list(): Promise<readonly Webhook[]> {
    const rows = await this.#store.database.read((sql) =>
      sql.all<WebhookRow>(
        `SELECT name, url, created_at, (SELECT COUNT(*) FROM notification WHERE webhook = name) AS waiting
         FROM webhook ORDER BY name`,
      ),
    );
    return rows.map(({ name, url, created_at, waiting }) => ({ name, url, createdAt: created_at, waiting }));
  }

  /** A known name gets the new address. Throws invalid, too-large (there are enough). */
  async put({ name, url }: Pick<Webhook, "name" | "url">): Promise<void> {
    check(name, url);
    await this.#store.queue.submit(async (tx) => {
      const row = await tx.get<{ others: number }>("SELECT COUNT(*) AS others FROM webhook WHERE name <> ?", name);
      if ((row?.others ?? 0) >= webhooksMax) {
        throw new StorageError("too-large", "add webhook", name, { hint: `There are at most ${webhooksMax}.` });
      }
      await tx.run(
        `INSERT INTO webhook (name, url, created_at) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET url = excluded.url`,
        name,
        url,
        tx.now,
      );
    });
  }

  /** With what was still to be posted to it. Throws not-found, conflict (a bucket names it). */
  async remove(name: string): Promise<void> {
    await this.#store.queue.submit(async (tx) => {
      const drives = await this.#store.drives.all(tx.sql);
      const using = drives.filter(({ notification }) =>
        notification?.rules.some(({ target }) => webhookOfTarget(target) === name),
      );
      if (using.length > 0) {
        const buckets = using.map((drive) => drive.name).slice(0, 10);
        throw new StorageError("conflict", "remove webhook", `${name} is named by the bucket ${buckets.join(", ")}`, {
          hint: "Change the notifications of the bucket first.",
        });
      }
      const removed = await tx.run("DELETE FROM webhook WHERE name = ?", name);
      if (removed === 0) throw new StorageError("not-found", "remove webhook", String(name).slice(0, 80));
      await tx.run("DELETE FROM notification WHERE webhook = ?", name);
    });
  }
}

function check(name: string, url: string): void {
  const isName = typeof name === "string" && /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
  const isUrl =
    typeof url === "string" && url.length <= urlCharactersMax && /^https?:\/\/[^\s/@?#]+(?:[/?]\S*)?$/.test(url);
  if (isName && isUrl) return;
  throw new StorageError("invalid", "add webhook", String(name).slice(0, 80), {
    hint: "A name has 1–63 small letters, digits and '-'; the address is http:// or https:// without a user.",
  });
}
