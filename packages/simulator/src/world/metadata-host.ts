import type { Env, HttpHandler, SqlDatabase } from "@cairn/env";
import { openSqlite } from "@cairn/env-node";
import { type MetadataKeys, newMetadataKeys, type OpenMetadata, openMetadata } from "@cairn/metadata";
import { membershipMethods, metadataMethods, nodeCommandsAt, serveMethods } from "@cairn/remote";
import type { Machine } from "./machine.ts";
import { type DatabaseFaults, ProcessDatabase } from "./process-database.ts";

export const metadataUrl = "http://metadata:7000";
const metadataBase = "/cluster/v1/metadata";
const membershipBase = "/cluster/v1/membership";
const joinTokenMs = 365 * 86_400_000;

export interface MetadataHostOptions {
  readonly copies: number;
  readonly chunkBytes: number;
  /** Thresholds of maintenance that differ from their defaults. */
  readonly settings: Readonly<Record<string, number>>;
}

/** The machine of the metadata server: the database stays, processes come and go. */
export class MetadataHost {
  readonly machine: Machine;
  readonly database: SqlDatabase;
  readonly keys: MetadataKeys;
  readonly faults: DatabaseFaults = { slowStatement: 0, unknownOutcome: 0 };
  readonly #options: MetadataHostOptions;
  #opened: OpenMetadata | undefined;
  #adopted = false;
  joinToken = "";

  private constructor(machine: Machine, database: SqlDatabase, options: MetadataHostOptions) {
    this.machine = machine;
    this.database = database;
    this.#options = options;
    this.keys = newMetadataKeys(machine.random);
  }

  static async make(machine: Machine, options: MetadataHostOptions): Promise<MetadataHost> {
    return new MetadataHost(machine, await openSqlite(":memory:"), options);
  }

  /** The services of the process that runs; undefined while none is ready. */
  get opened(): OpenMetadata | undefined {
    return this.machine.running ? this.#opened : undefined;
  }

  /** Starts the server on the database as it stands. */
  async start(): Promise<void> {
    this.#opened = undefined;
    const env = this.machine.begin();
    const { life, surroundings } = this.machine;
    const { chance, faulted } = surroundings;
    const faulting = { random: chance, faults: this.faults, faulted: () => faulted("unknown outcome of a commit") };
    const database = new ProcessDatabase(this.database, life, faulting);
    const { keys } = this;
    const { copies, chunkBytes, settings } = this.#options;
    const opened = await openMetadata({
      ...{ env, database, keys, copies, chunkBytes },
      keysAreNew: !this.#adopted,
      version: "simulated",
      nodeCommandsAt: nodeCommandsAt(env),
    });
    this.#adopted = true;
    if (this.joinToken === "") {
      await opened.operations.changeSettings(settings);
      this.joinToken = (await opened.access.createJoinToken({ expiresInMs: joinTokenMs })).secret;
    }
    await env.network.serve(handlerOf(opened, env), { host: "metadata", port: 7000, requestsMax: 512 });
    this.#opened = opened;
    this.machine.note("metadata server is ready");
  }

  kill(): void {
    this.machine.life.end();
  }
}

function handlerOf({ metadata, membership }: OpenMetadata, { log }: Env): HttpHandler {
  const authorise = async (): Promise<void> => undefined;
  const forMetadata = serveMethods(metadata, metadataMethods, { base: metadataBase, authorise, log });
  const forNodes = serveMethods(membership, membershipMethods, { base: membershipBase, authorise, log });
  return (request) => (request.target.startsWith(membershipBase) ? forNodes(request) : forMetadata(request));
}
