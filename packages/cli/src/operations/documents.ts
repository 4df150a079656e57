import type {
  ClusterEvent,
  ClusterHealth,
  CollectionStatus,
  Job,
  NodeId,
  RepairStatus,
  ScrubStatus,
} from "@cairn/protocol";
import { formatTime } from "../format.ts";

type Document = Readonly<Record<string, unknown>>;

/** A job as REST shows it: times in RFC 3339, what is absent is null. */
export function jobDocument(job: Job): Document {
  return {
    ...job,
    etaMs: job.etaMs ?? null,
    createdAt: formatTime(job.createdAt),
    finishedAt: timeOrNull(job.finishedAt),
  };
}

export function eventDocument(event: ClusterEvent): Document {
  return { ...event, at: formatTime(event.at) };
}

export function repairDocument(repair: RepairStatus): Document {
  return {
    ...repair,
    startsInMs: repair.startsInMs ?? null,
    etaMs: repair.etaMs ?? null,
    moves: repair.moves.map((move) => ({ ...move, startedAt: formatTime(move.startedAt) })),
  };
}

export function scrubDocument(scrub: ScrubStatus & { readonly node: NodeId }): Document {
  return {
    ...scrub,
    passStartedAt: timeOrNull(scrub.passStartedAt),
    passFinishedAt: timeOrNull(scrub.passFinishedAt),
  };
}

export function collectionDocument(collection: CollectionStatus): Document {
  return {
    ...collection,
    lastRunAt: timeOrNull(collection.lastRunAt),
    lastAuditAt: timeOrNull(collection.lastAuditAt),
  };
}

/** The answers of `status` and `cluster health`, without the counters that both show on their own. */
export function healthDocument({ status: _status, ...health }: ClusterHealth): Document {
  return {
    ...health,
    fullInDays: health.fullInDays ?? null,
    claims: health.claims.map((claim) => ({ ...claim, asOf: formatTime(claim.asOf), hint: claim.hint ?? null })),
    repair: repairDocument(health.repair),
    scrub: health.scrub.map(scrubDocument),
    collection: collectionDocument(health.collection),
    jobs: health.jobs.map(jobDocument),
  };
}

function timeOrNull(at: number | undefined): string | null {
  return at === undefined ? null : formatTime(at);
}
