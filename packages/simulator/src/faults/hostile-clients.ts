import { isKind, type Lease } from "@cairn/protocol";
import { FileOperations, type WorkloadParts } from "../workload/file-operations.ts";
import { RawClient, withReceipts } from "../workload/raw-client.ts";
import type { ClientHost } from "../world/client-host.ts";

/** What programs with a bug, or hostile ones, try. */
export type Attack = "hold back receipts" | "forge receipts" | "commit again";

const renewEveryMs = 15_000;
/** Longer than it takes until what was removed is condemned and deleted. */
const waitMs = 60_000;

/**
 * Programs that speak to the services as no library would. They may fail in any way; what they are told to have
 * committed is asked for like everything else, and what proves nothing must not be taken at all.
 */
export class HostileClients {
  readonly #parts: WorkloadParts;
  #attacks = 0;

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
  }

  /** Begins one and answers whose it is; it goes on by itself. */
  attack(attack: Attack): string | undefined {
    const { world } = this.#parts;
    const client = world.clients[world.chance.integer(world.clients.length)];
    if (!client) return undefined;
    const name = `hostile-${++this.#attacks}`;
    const raw = new RawClient(this.#parts, client);
    this.#run(attack, { raw, name, client }).catch((error: Error) => {
      world.log.note(client.machine.name, `${attack} ${name}: ${error.message}`);
    });
    return client.machine.name;
  }

  async #run(
    attack: Attack,
    { raw, name, client }: { readonly raw: RawClient; readonly name: string; readonly client: ClientHost },
  ): Promise<void> {
    const lease = await raw.open();
    const chunk = raw.newChunk();
    const told = await raw.send(lease, chunk);
    const receipts = told.written?.receipts ?? [];
    switch (attack) {
      case "hold back receipts":
        // One is too few for every drive; with one fewer than were given it may have enough, since its copies may be lowered.
        await raw.commit({ lease, name, chunk, told: withReceipts(told, receipts.slice(0, 1)) });
        this.#taken(`${name} with the receipt of one disk`);
        return;
      case "forge receipts": {
        const other = raw.newChunk();
        await raw.commit({ lease, name, chunk: other, told: { ...told, id: other.id } });
        this.#taken(`${name} with the receipts of another chunk`);
        return;
      }
      case "commit again":
        await raw.commit({ lease, name, chunk, told });
        await new FileOperations(this.#parts, client, this.#parts.world.will).remove(name, "remove");
        await this.#wait(raw, lease);
        // Whatever has become of the write: once this is acknowledged the file is there.
        await raw.commit({ lease, name: `${name}-again`, chunk, told });
    }
  }

  async #wait(raw: RawClient, lease: Lease): Promise<void> {
    const { timeline, chance } = this.#parts.world;
    const endsAt = timeline.now + chance.fraction() * waitMs;
    while (timeline.now < endsAt) {
      await timeline.pause(Math.min(renewEveryMs, endsAt - timeline.now));
      await raw.renew(lease).catch((error: unknown) => {
        if (isKind(error, "stale")) throw error;
      });
    }
  }

  #taken(what: string): void {
    this.#parts.world.violate("only what is proven is committed", what);
  }
}
