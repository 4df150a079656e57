import type { Clock, Network } from "@cairn/env";
import { isKind, utf8 } from "@cairn/protocol";
import type { ClusterCore } from "../service/cluster-core.ts";
import type { MaintenanceJob } from "../service/maintenance.ts";
import type { Store } from "../sql/store.ts";

interface NotificationRow {
  readonly sequence: number;
  readonly at: number;
  readonly body: string;
}

interface DeliveryWorld {
  readonly store: Store;
  readonly core: Pick<ClusterCore, "leaderWrites" | "events">;
  readonly env: { readonly network: Network };
}

/** Events of one post. */
const recordsAtOnce = 64;
const lookMs = 500;
const timeoutMs = 10_000;
const replyBytesMax = 64 * 1024;
const firstWaitMs = 1000;
const lastWaitMs = 300_000;
/** What could not be posted for so long is given up. */
const keptMs = 7 * 86_400_000;
const droppedAtOnce = 2000;

/**
 * Posts the events that changes left behind, to each webhook in their order and one post at a time. An event goes when its
 * post was answered with 2xx: after a failure, or a restart in between, it is posted again.
 */
export class Deliveries implements AsyncDisposable {
  readonly #world: DeliveryWorld;
  readonly #lanes = new Map<string, Lane>();

  constructor(world: DeliveryWorld) {
    this.#world = world;
  }

  /** Hand it to startMaintenance. */
  jobs(): readonly MaintenanceJob[] {
    return [{ name: "deliver-notifications", everyMs: lookMs, run: () => this.look() }];
  }

  /** Sets every webhook going that has something to be posted and does not wait after a failure. */
  async look(): Promise<void> {
    const webhooks = await this.#world.store.database.read((sql) =>
      sql.all<{ name: string; url: string }>(
        "SELECT name, url FROM webhook WHERE EXISTS (SELECT 1 FROM notification WHERE webhook = name) ORDER BY name",
      ),
    );
    for (const name of this.#lanes.keys()) {
      if (this.#lanes.get(name)?.idle && !webhooks.some((webhook) => webhook.name === name)) this.#lanes.delete(name);
    }
    for (const { name, url } of webhooks) {
      const lane = this.#lanes.get(name) ?? new Lane(this.#world, name);
      this.#lanes.set(name, lane);
      lane.start(url);
    }
  }

  /** Ends when no post is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.stop()));
  }
}

/** What is posted to one webhook. */
class Lane {
  readonly #world: DeliveryWorld;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #failures = 0;
  /** Monotonic ms. */
  #notBefore = 0;

  constructor(world: DeliveryWorld, name: string) {
    this.#world = world;
    this.#name = name;
    this.#clock = world.store.clock;
  }

  get idle(): boolean {
    return this.#running === undefined;
  }

  start(url: string): void {
    if (this.#running || this.#clock.monotonic() < this.#notBefore) return;
    this.#running = this.#drain(url)
      .catch((err: unknown) => {
        if (!this.#stop.signal.aborted) this.#failed(err);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #drain(url: string): Promise<void> {
    await this.#dropOld();
    while (!this.#stop.signal.aborted) {
      const rows = await this.#world.store.database.read((sql) =>
        sql.all<NotificationRow>(
          `SELECT sequence, at, body FROM notification WHERE webhook = ? ORDER BY sequence LIMIT ${recordsAtOnce}`,
          this.#name,
        ),
      );
      const last = rows.at(-1);
      if (!last) return;
      const refused = await this.#post(url, rows);
      if (refused !== undefined) {
        await this.#wait(url, refused);
        return;
      }
      await this.#posted(last.sequence);
    }
  }

  /** Why it was not taken; undefined when it was. */
  async #post(url: string, rows: readonly NotificationRow[]): Promise<string | undefined> {
    const body = utf8(`{"Records":[${rows.map((row) => row.body).join(",")}]}`);
    const headers = { "content-type": "application/json", "user-agent": "Cairn", "content-length": `${body.length}` };
    const { signal } = this.#stop;
    const request = { method: "POST" as const, url, headers, body: [body], timeoutMs, replyBytesMax, signal };
    try {
      const { status } = await this.#world.env.network.request(request);
      return status >= 200 && status < 300 ? undefined : `it answered ${status}`;
    } catch (error) {
      if (signal.aborted || !isKind(error, "unavailable", "too-large", "invalid")) throw error;
      return error.message;
    }
  }

  async #posted(sequence: number): Promise<void> {
    const recovered = this.#failures > 0;
    this.#failures = 0;
    await this.#world.core.leaderWrites.run(async (sql, tell) => {
      await sql.run("DELETE FROM notification WHERE webhook = ? AND sequence <= ?", this.#name, sequence);
      if (!recovered) return;
      const message = "events are posted again";
      await tell({ severity: "info", kind: "webhook.recovered", subject: this.#name, message });
    });
  }

  async #wait(url: string, reason: string): Promise<void> {
    this.#later();
    if (this.#failures > 1) return;
    // Whatever the query of the address says is for the webhook alone.
    const message = `events cannot be posted to ${url.replace(/\?.*$/, "")}: ${reason}; they wait, and are posted again`;
    await this.#world.core.events.tell({ severity: "warning", kind: "webhook.failing", subject: this.#name, message });
  }

  #failed(err: unknown): void {
    this.#later();
    this.#world.store.log.error({ err, webhook: this.#name }, "delivery of events failed and will be tried again");
  }

  /** Waits twice as long after each failure. */
  #later(): void {
    const waitMs = Math.min(lastWaitMs, firstWaitMs * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    this.#notBefore = this.#clock.monotonic() + waitMs;
  }

  async #dropOld(): Promise<void> {
    const before = this.#clock.now() - keptMs;
    for (let dropped = droppedAtOnce; dropped === droppedAtOnce && !this.#stop.signal.aborted; ) {
      dropped = await this.#world.core.leaderWrites.run(async (sql, tell) => {
        const count = await sql.run(
          `DELETE FROM notification WHERE webhook = ? AND at < ? AND sequence IN
             (SELECT sequence FROM notification WHERE webhook = ? ORDER BY sequence LIMIT ${droppedAtOnce})`,
          this.#name,
          before,
          this.#name,
        );
        const message = `${count} events could not be posted for a week and were given up`;
        if (count > 0) await tell({ severity: "error", kind: "webhook.dropped", subject: this.#name, message });
        return count;
      });
    }
  }
}
