import type {
  ChangePlan,
  ClusterEvent,
  ClusterHealth,
  CollectionPreview,
  CollectionStatus,
  GroupMove,
  HealthClaim,
  Job,
  JobId,
  MembershipChange,
  NodeId,
  NodeImpact,
  RepairStatus,
  ScrubStatus,
  Setting,
  Severity,
} from "@cairn/protocol";
import type { CallOptions, ListPage, PageOptions } from "./options.ts";
import { type Json, type JsonPage, pageOf, timeOf } from "./rest/resources.ts";
import type { RestClient } from "./rest/rest-client.ts";

/** How long one call waits for the next event, ms. */
const followWaitMs = 20_000;

export interface EventOptions extends CallOptions {
  /** A sequence number; negative: so many from the end. Default: 0, from the oldest. */
  readonly after?: number | undefined;
  /** 1 … 1000. Default: 100. */
  readonly limit?: number | undefined;
  readonly severity?: Severity | undefined;
}

/** What operators ask and order. Orders need a token with the scope admin. */
export class OperationsClient {
  readonly #rest: RestClient;

  constructor(rest: RestClient) {
    this.#rest = rest;
  }

  async health({ signal }: CallOptions = {}): Promise<ClusterHealth> {
    return healthOf(await this.#rest.get<Json>({ operation: "read health", path: "/cluster/health", signal }));
  }

  /** Oldest first. */
  async events({ after, limit, severity, signal }: EventOptions = {}): Promise<readonly ClusterEvent[]> {
    return this.#events({ after, limit, severity }, signal);
  }

  /** As they happen, until the signal aborts. */
  async *followEvents({ after = 0, severity, signal }: EventOptions = {}): AsyncGenerator<ClusterEvent> {
    let last = after;
    while (!signal?.aborted) {
      const events = await this.#events({ after: last, severity, limit: 1000, waitMs: followWaitMs }, signal);
      yield* events;
      last = events.at(-1)?.sequence ?? Math.max(last, 0);
    }
  }

  async settings({ signal }: CallOptions = {}): Promise<readonly Setting[]> {
    const page = await this.#rest.get<JsonPage>({ operation: "read settings", path: "/settings", signal });
    return page.items as unknown as readonly Setting[];
  }

  /** All or none. Throws invalid. */
  async changeSettings(
    changes: Readonly<Record<string, number>>,
    { signal }: CallOptions = {},
  ): Promise<readonly Setting[]> {
    const call = { operation: "change settings", path: "/settings", body: changes, signal };
    return (await this.#rest.change<JsonPage>("PATCH", call)).items as unknown as readonly Setting[];
  }

  /** Newest first. */
  async jobs({ pageSize, cursor, signal }: PageOptions = {}): Promise<ListPage<Job>> {
    const call = { operation: "list jobs", path: "/jobs", query: { pageSize, cursor }, signal };
    return pageOf(await this.#rest.get<JsonPage>(call), jobOf);
  }

  /** Throws not-found. */
  async job(id: JobId, { signal }: CallOptions = {}): Promise<Job> {
    return jobOf(await this.#rest.get<Json>({ operation: "read job", path: `/jobs/${id}`, signal }));
  }

  /** Throws not-found, conflict (has ended). */
  async cancelJob(id: JobId, { signal }: CallOptions = {}): Promise<Job> {
    return jobOf(await this.#rest.once<Json>("DELETE", { operation: "cancel job", path: `/jobs/${id}`, signal }));
  }

  async repairStatus({ signal }: CallOptions = {}): Promise<RepairStatus> {
    return repairOf(await this.#rest.get<Json>({ operation: "read repair", path: "/repair", signal }));
  }

  async scrubStatus({ signal }: CallOptions = {}): Promise<ClusterHealth["scrub"]> {
    const page = await this.#rest.get<JsonPage>({ operation: "read scrub", path: "/scrub", signal });
    return page.items.map(scrubOf);
  }

  async startScrub({ signal }: CallOptions = {}): Promise<Job> {
    return jobOf(await this.#rest.once<Json>("POST", { operation: "start scrub", path: "/scrub", signal }));
  }

  async collectionStatus({ signal }: CallOptions = {}): Promise<CollectionStatus> {
    return collectionOf(await this.#rest.get<Json>({ operation: "read collection", path: "/collection", signal }));
  }

  async previewCollection({ signal }: CallOptions = {}): Promise<CollectionPreview> {
    return this.#rest.get({ operation: "preview collection", path: "/collection/preview", signal });
  }

  async startCollection({ signal }: CallOptions = {}): Promise<Job> {
    return jobOf(await this.#rest.once<Json>("POST", { operation: "start collection", path: "/collection", signal }));
  }

  /** Leaves no-delete mode: what the database does not know counts as left over from then on. */
  async resumeCollection({ signal }: CallOptions = {}): Promise<CollectionStatus> {
    const call = { operation: "resume collection", path: "/collection/resume", signal };
    return collectionOf(await this.#rest.once<Json>("POST", call));
  }

  /** Changes nothing. Throws not-found. */
  async planChange(change: MembershipChange, { signal }: CallOptions = {}): Promise<ChangePlan> {
    const call = { operation: `plan ${change.kind}`, path: "/changes/plan", body: change, signal };
    return this.#rest.once("POST", call);
  }

  /** Undefined: it is done. Throws conflict with the refusals of the plan. */
  async applyChange(change: MembershipChange, { signal }: CallOptions = {}): Promise<Job | undefined> {
    const call = { operation: change.kind, path: "/changes", body: change, signal };
    const job = await this.#rest.once<Json | undefined>("POST", call);
    return job && jobOf(job);
  }

  /** Throws not-found. */
  async nodeImpact(node: NodeId | string, { signal }: CallOptions = {}): Promise<NodeImpact> {
    const path = `/nodes/${encodeURIComponent(node)}/impact`;
    return this.#rest.get({ operation: "read node", path, signal });
  }

  async #events(
    query: Readonly<Record<string, string | number | undefined>>,
    signal: AbortSignal | undefined,
  ): Promise<readonly ClusterEvent[]> {
    const page = await this.#rest.get<JsonPage>({ operation: "read events", path: "/events", query, signal });
    return page.items.map((event) => ({ ...(event as unknown as ClusterEvent), at: timeOf(event["at"]) ?? 0 }));
  }
}

function healthOf(json: Json): ClusterHealth {
  const health = json as unknown as ClusterHealth;
  const lists = json as unknown as Readonly<Record<"claims" | "scrub" | "jobs", readonly Json[]>>;
  const status = json["status"] as Json;
  return {
    ...health,
    claims: lists.claims.map((claim) => ({ ...(claim as unknown as HealthClaim), asOf: timeOf(claim["asOf"]) ?? 0 })),
    repair: repairOf(json["repair"] as Json),
    scrub: lists.scrub.map(scrubOf),
    collection: collectionOf(json["collection"] as Json),
    jobs: lists.jobs.map(jobOf),
    status: { ...health.status, startedAt: timeOf(status["startedAt"]) ?? 0 },
  };
}

function jobOf(json: Json): Job {
  return {
    ...(json as unknown as Job),
    createdAt: timeOf(json["createdAt"]) ?? 0,
    finishedAt: timeOf(json["finishedAt"]),
  };
}

function repairOf(json: Json): RepairStatus {
  const moves = (json["moves"] ?? []) as readonly Json[];
  const moveOf = (move: Json): GroupMove => ({
    ...(move as unknown as GroupMove),
    startedAt: timeOf(move["startedAt"]) ?? 0,
  });
  return { ...(json as unknown as RepairStatus), moves: moves.map(moveOf) };
}

function scrubOf(json: Json): ScrubStatus & { readonly node: NodeId } {
  return {
    ...(json as unknown as ScrubStatus & { readonly node: NodeId }),
    passStartedAt: timeOf(json["passStartedAt"]),
    passFinishedAt: timeOf(json["passFinishedAt"]),
  };
}

function collectionOf(json: Json): CollectionStatus {
  return {
    ...(json as unknown as CollectionStatus),
    lastRunAt: timeOf(json["lastRunAt"]),
    lastAuditAt: timeOf(json["lastAuditAt"]),
  };
}
