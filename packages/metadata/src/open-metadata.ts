import type { Env, SqlDatabase } from "@cairn/env";
import {
  limits,
  type MembershipService,
  type MetadataService,
  type NodeCommandsAt,
  type OperationsService,
} from "@cairn/protocol";
import type { AccessControl } from "./auth/access-control.ts";
import { ChunkIntake } from "./commit/chunk-intake.ts";
import { Commits } from "./commit/commits.ts";
import { MetadataServer } from "./metadata-server.ts";
import { DriveTable } from "./namespace/drive-table.ts";
import { Namespace } from "./namespace/namespace.ts";
import { reclaimBacklog } from "./namespace/removal.ts";
import { AccessKeys } from "./objects/access-keys.ts";
import { Objects } from "./objects/objects.ts";
import { Operations } from "./operations/operations.ts";
import { wiredMachinery } from "./operations/wired-machinery.ts";
import { listChunks } from "./read/chunk-list.ts";
import { ReadPlanner } from "./read/read-plan.ts";
import { ClusterCore } from "./service/cluster-core.ts";
import { type MaintenanceJob, startMaintenance } from "./service/maintenance.ts";
import type { MetadataKeys } from "./service/metadata-keys.ts";
import { pruneLogs } from "./sql/log-pruning.ts";
import { migrate } from "./sql/migrate.ts";
import type { Store } from "./sql/store.ts";
import { WriteQueue, type WriteQueueOptions } from "./sql/write-queue.ts";
import { Uploads } from "./upload/uploads.ts";

export interface OpenMetadataOptions {
  readonly env: Env;
  readonly database: SqlDatabase;
  readonly keys: MetadataKeys;
  /** True when this start made the keys: only then may the database be a new one. */
  readonly keysAreNew: boolean;
  /** Copies of each chunk of the default drive; counts when the database is new. */
  readonly copies: number;
  /** Chunk size of the default drive, bytes; counts when the database is new. */
  readonly chunkBytes?: number | undefined;
  readonly version: string;
  readonly queue?: WriteQueueOptions | undefined;
  /** How nodes are commanded. */
  readonly nodeCommandsAt: NodeCommandsAt;
}

/** A metadata server at work; disposing of it ends its jobs and leaves the database open. */
export interface OpenMetadata extends AsyncDisposable {
  readonly metadata: MetadataService;
  readonly membership: MembershipService;
  readonly operations: OperationsService;
  readonly access: AccessControl;
}

/**
 * Opens the metadata of a cluster: brings the schema up to date, checks that database and keys belong together, takes the
 * lead, and starts the jobs. Throws conflict (foreign or missing database, newer schema), unavailable (led elsewhere).
 */
export async function openMetadata(options: OpenMetadataOptions): Promise<OpenMetadata> {
  const { env, database, keys, keysAreNew, copies, version } = options;
  await migrate({ ...env, database }, { copies, chunkBytes: options.chunkBytes ?? limits.chunkBytesDefault });
  // The folder is locked by whoever opened the database: no other server can be at work on it.
  const core = await ClusterCore.open(env, database, { keys, keysAreNew, overtake: true });
  const { clock, random, hasher, log } = env;
  const queue = new WriteQueue({ ...env, database }, options.queue);
  const store: Store = { database, queue, drives: new DriveTable(), clock, random, hasher, log };
  const intake = new ChunkIntake(core.leases, core.receipts);
  const uploads = new Uploads(store, intake);
  const reports = core.reports({ version, listChunks: (address, offset) => listChunks(store, address, offset) });
  const metadata = new MetadataServer({
    store,
    core,
    namespace: new Namespace(store),
    commits: new Commits(store, intake),
    uploads,
    planner: new ReadPlanner(store, core.views),
    reports,
    objects: new Objects(store, { uploads, keys: new AccessKeys({ ...env, database, keys }) }),
  });
  const running = wiredMachinery({ env, store, core, nodes: options.nodeCommandsAt });
  const { machinery } = running;
  const operations = new Operations({ env, database, core, reports, drives: store.drives, machinery });
  const jobs = [...core.jobs(), ...namespaceJobs(store, uploads), ...operations.maintenance(), ...running.jobs];
  const maintenance = startMaintenance(env, jobs);
  return {
    metadata,
    membership: core.membership,
    operations,
    access: core.access,
    async [Symbol.asyncDispose](): Promise<void> {
      await maintenance[Symbol.asyncDispose]();
      await running.stop();
      await queue.idle();
    },
  };
}

function namespaceJobs(store: Store, uploads: Uploads): MaintenanceJob[] {
  return [
    { name: "drop-idle-uploads", everyMs: 60_000, run: async () => void (await uploads.expire()) },
    { name: "give-back-references", everyMs: 1000, run: (signal) => reclaimBacklog(store, signal) },
    { name: "prune-logs", everyMs: 60_000, run: (signal) => pruneAll(store, signal) },
  ];
}

/** Old lines go a few thousand at a time, so that users' changes come between. */
async function pruneAll(store: Store, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await pruneLogs(store))) await store.clock.sleep(10, signal);
}
