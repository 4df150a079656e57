import type {
  ClusterEvent,
  ClusterHealth,
  CollectionStatus,
  Job,
  NodeId,
  RepairStatus,
  ScrubStatus,
} from "@cairn/protocol";
import { timeText } from "./resources.ts";

type Resource = Record<string, unknown>;

/** The cluster's health as REST shows it; times in RFC 3339. */
export function healthResource(health: ClusterHealth): Resource {
  return {
    ...health,
    claims: health.claims.map((claim) => ({ ...claim, asOf: timeText(claim.asOf) })),
    repair: repairResource(health.repair),
    scrub: health.scrub.map(scrubResource),
    collection: collectionResource(health.collection),
    jobs: health.jobs.map(jobResource),
    status: { ...health.status, startedAt: timeText(health.status.startedAt) },
  };
}

export function eventResource(event: ClusterEvent): Resource {
  return { ...event, at: timeText(event.at) };
}

export function jobResource(job: Job): Resource {
  return { ...job, createdAt: timeText(job.createdAt), finishedAt: optionalTime(job.finishedAt) };
}

export function repairResource(repair: RepairStatus): Resource {
  return { ...repair, moves: repair.moves.map((move) => ({ ...move, startedAt: timeText(move.startedAt) })) };
}

export function scrubResource(scrub: ScrubStatus & { readonly node: NodeId }): Resource {
  const { passStartedAt, passFinishedAt } = scrub;
  return { ...scrub, passStartedAt: optionalTime(passStartedAt), passFinishedAt: optionalTime(passFinishedAt) };
}

export function collectionResource(collection: CollectionStatus): Resource {
  const { lastRunAt, lastAuditAt } = collection;
  return { ...collection, lastRunAt: optionalTime(lastRunAt), lastAuditAt: optionalTime(lastAuditAt) };
}

function optionalTime(at: number | undefined): string | undefined {
  return at === undefined ? undefined : timeText(at);
}
