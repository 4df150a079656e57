import type { RepairStatus } from "@cairn/protocol";
import type { GroupNeed } from "./group-need.ts";
import type { NeedsFound } from "./moves/move-planner.ts";
import type { MoveRecord } from "./moves/move-table.ts";
import type { Hold } from "./readiness.ts";

export interface StatusFacts {
  readonly hold: Hold | undefined;
  readonly paused: boolean;
  readonly found: NeedsFound;
  /** Groups that no disk has room for now. */
  readonly homeless: number;
  readonly moves: readonly MoveRecord[];
  readonly chunksWaiting: number;
  /** Bytes per second that were really moved. */
  readonly rate: number;
  /** Bytes that this stretch of work has done, moves that have ended among them. */
  readonly doneBytes: number;
}

/** What the operator is told of repair and moves, from what is really so. */
export function repairStatusOf(facts: StatusFacts): RepairStatus {
  const { found, moves, chunksWaiting, rate } = facts;
  const waiting = [...found.due, ...found.stuck, ...found.later];
  const leftBytes =
    waiting.reduce((sum, need) => sum + need.group.bytes, 0) +
    moves.reduce((sum, move) => sum + Math.max(0, move.totalBytes - move.doneBytes), 0);
  const startsInMs = found.due.length + moves.length > 0 ? undefined : soonest(found.later);
  const { state, reason } = stateOf(facts, startsInMs);
  return {
    state,
    reason,
    startsInMs: state === "waiting" ? startsInMs : undefined,
    groupsWaiting: waiting.length,
    groupsMoving: moves.length,
    chunksWaiting,
    doneBytes: facts.doneBytes,
    totalBytes: facts.doneBytes + leftBytes,
    bytesPerSecond: Math.round(rate),
    etaMs: state === "running" && rate > 0 ? Math.ceil((leftBytes / rate) * 1000) : undefined,
    moves: moves.map(({ cursor: _cursor, ...move }) => move),
  };
}

function stateOf(
  { hold, paused, found, homeless, moves, chunksWaiting }: StatusFacts,
  startsInMs: number | undefined,
): Pick<RepairStatus, "state" | "reason"> {
  if (hold) return { state: hold.state, reason: hold.reason };
  if (paused) return { state: "paused", reason: "the setting repair.paused is on" };
  if (moves.length > 0) return { state: "running", reason: `copying ${count(moves.length, "group")}` };
  if (found.due.length > 0 && homeless < found.due.length) {
    return { state: "running", reason: `about to copy ${count(found.due.length, "group")}` };
  }
  if (homeless > 0) return { state: "waiting", reason: `no other node has room for ${count(homeless, "group")}` };
  if (found.stuck.length > 0) {
    return { state: "waiting", reason: `no copy of ${count(found.stuck.length, "group")} can be reached` };
  }
  if (startsInMs !== undefined) {
    const what = `${count(found.later.length, "group")} in ${Math.ceil(startsInMs / 1000)} s`;
    return { state: "waiting", reason: `new copies of ${what} if the node stays away` };
  }
  if (chunksWaiting > 0) return { state: "running", reason: `mending chunks: ${chunksWaiting} to go` };
  return { state: "idle", reason: "nothing waits for repair" };
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}

function soonest(needs: readonly GroupNeed[]): number | undefined {
  return needs.length === 0 ? undefined : Math.min(...needs.map((need) => need.dueInMs));
}
