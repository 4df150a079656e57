import type {
  ClusterStatus,
  CollectionStatus,
  HealthClaim,
  NodeDuty,
  NodeId,
  RepairStatus,
  ScrubStatus,
} from "@cairn/protocol";

/** What claims are made from; all of it was looked at just now unless it carries a time of its own. */
export interface Evidence {
  readonly now: number;
  readonly status: ClusterStatus;
  readonly groups: number;
  readonly damagedChunks: number;
  readonly duties: ReadonlyMap<NodeId, NodeDuty>;
  readonly freeBytes: number;
  readonly fullInDays: number | undefined;
  readonly repair: RepairStatus;
  readonly collection: CollectionStatus;
  readonly scrub: readonly (ScrubStatus & { readonly node: NodeId })[];
  readonly scrubEveryMs: number;
  readonly scrubPaused: boolean;
  readonly copies: CopiesVerified;
  readonly leader: { readonly epoch: number; readonly held: boolean; readonly renewedAt: number };
  /** ms by which this server's wall clock has moved against its monotonic clock since the start. */
  readonly clockDriftMs: number;
  readonly durability: { readonly durable: boolean; readonly words: string } | undefined;
}

/** When copies of groups were last read in full by the scrub of their nodes. */
export interface CopiesVerified {
  readonly copies: number;
  readonly verified: number;
  /** Wall clock ms of the copy whose check is the oldest. */
  readonly oldestAt: number | undefined;
}

type Verdict = HealthClaim["verdict"];
const dayMs = 86_400_000;
/** A disk this full is worth a thought, and one this full soon takes nothing. */
const fillAttention = 0.85;
const fillBad = 0.95;
const clockDriftMsMax = 10_000;

/** Every sentence about the cluster with what it rests on; what could not be looked at is never called good. */
export function claimsOf(evidence: Evidence): readonly HealthClaim[] {
  return [
    redundancyClaim(evidence),
    nodesClaim(evidence),
    disksClaim(evidence),
    spaceClaim(evidence),
    repairClaim(evidence),
    scrubClaim(evidence),
    verifiedClaim(evidence),
    collectionClaim(evidence),
    versionsClaim(evidence),
    clockClaim(evidence),
    databaseClaim(evidence),
    leaderClaim(evidence),
  ];
}

function redundancyClaim({ status, groups, damagedChunks, now }: Evidence): HealthClaim {
  const { full, reduced, unreachable, waitingFor } = status.redundancy;
  const total = full + reduced + unreachable;
  const evidence = `exact counters of ${count(total, "chunk")} in ${count(groups, "group")}, heartbeats of ${count(status.nodes.length, "node")}, ${count(damagedChunks, "chunk")} known to have a bad copy`;
  const of = (verdict: Verdict, message: string, hint?: string): HealthClaim =>
    claim("redundancy", verdict, { message, evidence, asOf: now, hint });
  if (unreachable > 0)
    return of(
      "bad",
      `${count(unreachable, "chunk")} cannot be read now`,
      waitingFor.length > 0 ? `bring back ${waitingFor.join(", ")}` : "see which files with cairn file map",
    );
  if (reduced > 0)
    return of(
      "attention",
      `${count(reduced, "chunk")} of ${total} lack copies; all can be read`,
      "cairn repair status tells when they are made",
    );
  return of(
    "good",
    total === 0 ? "nothing is stored yet" : `all ${count(total, "chunk")} have all their copies on nodes that answer`,
  );
}

function nodesClaim({ status: { nodes }, duties, now }: Evidence): HealthClaim {
  const there = nodes.filter(({ node }) => duties.get(node) !== "removed");
  const silent = there.filter(({ health }) => health !== "online");
  const away = there.filter(({ node }) => duties.get(node) === "maintenance" || duties.get(node) === "draining");
  const oldest = Math.max(0, ...there.map(({ silentForMs }) => silentForMs ?? 0));
  const evidence = `heartbeats, the oldest ${Math.round(oldest / 100) / 10} s ago`;
  const asOf = now - Math.min(oldest, ...there.map(({ silentForMs }) => silentForMs ?? 0));
  const of = (verdict: Verdict, message: string, hint?: string): HealthClaim =>
    claim("nodes", verdict, { message, evidence, asOf, hint });
  if (there.length === 0) return of("bad", "no node has joined", "cairn node add");
  if (silent.length > 0)
    return of(
      "attention",
      silent.map(({ node, health }) => `${node} is ${health}`).join(", "),
      "start it again, or see what it held: cairn node show NAME --impact",
    );
  const aside = away.map(
    ({ node }) => `${node} ${duties.get(node) === "draining" ? "is being drained" : "is in maintenance"}`,
  );
  return of("good", `all ${count(there.length, "node")} answer${aside.length > 0 ? `; ${aside.join(", ")}` : ""}`);
}

function disksClaim({ status: { nodes }, duties, now }: Evidence): HealthClaim {
  const disks = nodes
    .filter(({ node }) => duties.get(node) !== "removed")
    .flatMap(({ node, disks }) => disks.map((disk) => ({ node, ...disk })));
  const bad = disks.filter(({ state }) => state === "failed" || state === "suspect");
  const evidence = `what the nodes report of ${count(disks.length, "disk")}`;
  if (bad.length === 0)
    return claim("disks", "good", { message: "no disk has reported an error", evidence, asOf: now });
  const message = bad.map(({ node, disk, state }) => `disk ${disk} of ${node} is ${state}`).join(", ");
  return claim("disks", bad.some(({ state }) => state === "failed") ? "bad" : "attention", {
    message,
    evidence,
    asOf: now,
    hint: "replace the disk: see docs/operations.md",
  });
}

function spaceClaim({ status: { nodes }, freeBytes, fullInDays, now }: Evidence): HealthClaim {
  const disks = nodes.flatMap(({ node, disks }) => disks.map((disk) => ({ node, ...disk })));
  const fillOf = (disk: (typeof disks)[number]): number =>
    disk.totalBytes === 0 ? 0 : 1 - disk.freeBytes / disk.totalBytes;
  const fullest = disks.reduce<(typeof disks)[number] | undefined>(
    (most, disk) => (!most || fillOf(disk) > fillOf(most) ? disk : most),
    undefined,
  );
  const fill = fullest ? fillOf(fullest) : 0;
  const evidence = fullest
    ? `free space of ${count(disks.length, "disk")}; the fullest is disk ${fullest.disk} of ${fullest.node} with ${Math.round(fill * 100)} %`
    : "there is no disk";
  const when =
    fullInDays === undefined
      ? ""
      : fullInDays > 3650
        ? "; not full within ten years at last week's rate"
        : `; full in about ${Math.floor(fullInDays)} days at last week's rate`;
  const tight =
    fill >= fillAttention ||
    (fullInDays !== undefined && fullInDays < 30) ||
    disks.some(({ state }) => state === "full");
  const verdict = freeBytes === 0 || fill >= fillBad ? "bad" : tight ? "attention" : "good";
  return claim("space", verdict, {
    message: `${bytes(freeBytes)} more fit with all copies${when}`,
    evidence,
    asOf: now,
    hint: verdict === "good" ? undefined : "add a node (cairn node add) or free space (cairn trash empty)",
  });
}

function repairClaim({ repair, now }: Evidence): HealthClaim {
  const verdicts: Readonly<Record<RepairStatus["state"], Verdict>> = {
    idle: "good",
    waiting: "attention",
    running: "attention",
    paused: "attention",
    "safe-mode": "attention",
    "storm-brake": "bad",
  };
  const evidence = `${count(repair.groupsWaiting, "group")} waiting, ${count(repair.groupsMoving, "group")} on the move`;
  return claim("repair", verdicts[repair.state], {
    message: repair.reason,
    evidence,
    asOf: now,
    hint: repair.state === "paused" ? "cairn repair resume" : undefined,
  });
}

function scrubClaim({ scrub, scrubEveryMs, scrubPaused, status, now }: Evidence): HealthClaim {
  const late = 1.5 * scrubEveryMs;
  const disks = status.nodes.flatMap(({ node, disks }) => disks.map(({ disk }) => ({ node, disk })));
  const overdue = disks.filter(({ disk }) => {
    const seen = scrub.find((one) => one.disk === disk);
    const since = seen?.passFinishedAt ?? seen?.passStartedAt;
    return since === undefined || now - since > late;
  });
  const finished = scrub.flatMap(({ passFinishedAt }) => passFinishedAt ?? []);
  const asOf = finished.length === 0 ? now : Math.min(...finished);
  const evidence = `what the nodes report of ${count(disks.length, "disk")}; full passes wanted every ${Math.round(scrubEveryMs / dayMs)} days`;
  const of = (verdict: Verdict, message: string, hint?: string): HealthClaim =>
    claim("scrub", verdict, { message, evidence, asOf, hint });
  if (scrubPaused) return of("attention", "the scrub is paused", "cairn config set scrub.paused 0");
  if (disks.length > 0 && overdue.length === disks.length && scrub.length === 0)
    return of("attention", "no node has told of a scrub yet");
  if (overdue.length > 0)
    return of(
      "attention",
      `no full pass in time: ${overdue.map(({ node, disk }) => `disk ${disk} of ${node}`).join(", ")}`,
      "cairn scrub status",
    );
  return of(
    "good",
    finished.length < disks.length
      ? "the first pass over some disks is under way"
      : "every disk was read in full within its time",
  );
}

function verifiedClaim({ copies: { copies, verified, oldestAt }, scrubEveryMs, now }: Evidence): HealthClaim {
  const evidence = `${verified} of ${count(copies, "copy", "copies")} of groups were read in full and checked against their hashes`;
  const late = oldestAt !== undefined && now - oldestAt > 1.5 * scrubEveryMs;
  const message =
    verified === 0
      ? "no copy has been verified since it was written"
      : verified < copies
        ? "copies written lately wait for their first check"
        : "every copy was verified";
  return claim("verified", late ? "attention" : "good", {
    message,
    evidence,
    asOf: oldestAt ?? now,
    hint: late ? "cairn scrub start" : undefined,
  });
}

function collectionClaim({ collection, now }: Evidence): HealthClaim {
  const verdicts: Readonly<Record<CollectionStatus["state"], Verdict>> = {
    idle: "good",
    running: "good",
    paused: "attention",
    "no-delete": "attention",
    "safe-mode": "good",
  };
  const evidence = `${count(collection.condemnedChunks, "chunk")} condemned, ${count(collection.inGraceChunks, "chunk")} inside of their grace`;
  return claim("collection", verdicts[collection.state], {
    message: collection.reason,
    evidence,
    asOf: collection.lastRunAt ?? now,
    hint: collection.state === "no-delete" ? "cairn gc run --dry-run, then cairn gc resume" : undefined,
  });
}

function versionsClaim({ status, now }: Evidence): HealthClaim {
  const others = status.nodes.filter(({ version }) => version !== status.version);
  const evidence = `metadata server ${status.version}; the nodes' registrations`;
  if (others.length === 0)
    return claim("versions", "good", { message: "all parts run one version", evidence, asOf: now });
  return claim("versions", "attention", {
    message: others.map(({ node, version }) => `${node} runs ${version}`).join(", "),
    evidence,
    asOf: now,
    hint: "bring all parts to one version",
  });
}

function clockClaim({ clockDriftMs, now }: Evidence): HealthClaim {
  const jumped = Math.abs(clockDriftMs) > clockDriftMsMax;
  const seconds = Math.round(clockDriftMs / 100) / 10;
  return claim("clock", jumped ? "attention" : "good", {
    message: jumped ? `the wall clock has jumped by ${seconds} s since the start` : "the wall clock runs evenly",
    evidence: `wall clock against monotonic clock of the metadata server: ${seconds} s apart since the start`,
    asOf: now,
    hint: jumped ? "check the time service of that machine" : undefined,
  });
}

function databaseClaim({ durability, now }: Evidence): HealthClaim {
  if (!durability)
    return claim("database", "attention", {
      message: "the database does not tell how it syncs",
      evidence: "none",
      asOf: now,
    });
  return claim("database", durability.durable ? "good" : "bad", {
    message: durability.durable
      ? "a commit is on disk before it is acknowledged"
      : "a commit may be lost by a power cut",
    evidence: durability.words,
    asOf: now,
  });
}

function leaderClaim({ leader }: Evidence): HealthClaim {
  return claim("leader", leader.held ? "good" : "bad", {
    message: leader.held ? "this server leads the maintenance" : "another server has taken the lead",
    evidence: `table job_lease, epoch ${leader.epoch}`,
    asOf: leader.renewedAt,
  });
}

function claim(name: string, verdict: Verdict, what: Omit<HealthClaim, "name" | "verdict">): HealthClaim {
  const { hint, ...rest } = what;
  return { name, verdict, ...rest, ...(hint === undefined ? {} : { hint }) };
}

function count(number: number, word: string, words: string = `${word}s`): string {
  return `${number} ${number === 1 ? word : words}`;
}

function bytes(amount: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = amount;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
