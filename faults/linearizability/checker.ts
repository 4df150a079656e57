import { type Operation, spell, step, type Value } from "./history.ts";

export type Verdict = "linearizable" | "violation" | "undecided";

export interface KeyReport {
  readonly key: string;
  readonly verdict: Verdict;
  readonly operations: number;
  /** For a violation: the calls around the place where no order fits any more. */
  readonly around: readonly string[];
}

export interface CheckOptions {
  /** Places that are tried for one key before the checker gives up. */
  readonly stepsMax?: number;
}

/**
 * Whether the calls on each key have an order that keeps their times and that a register would have answered so. Keys are
 * independent (P-compositional); each is searched as Wing and Gong do, with Lowe's memory of states that led nowhere. A key
 * that could not be decided is a failure of the test, never a pass.
 */
export function checkLinearizable(history: readonly Operation[], options: CheckOptions = {}): readonly KeyReport[] {
  const keys = groupByKey(history);
  return [...keys].map(([key, operations]) => checkKey(key, operations, options.stepsMax ?? 2_000_000));
}

/** The reports that are not a pass, each with its reason. */
export function failures(reports: readonly KeyReport[]): readonly string[] {
  return reports
    .filter(({ verdict }) => verdict !== "linearizable")
    .map(({ key, verdict, operations, around }) =>
      [`${key}: ${verdict} in ${operations} calls`, ...around].join("\n  "),
    );
}

/** A call or its return, in a list that calls are taken out of and put back into. */
interface Event {
  readonly operation: Operation;
  readonly index: number;
  /** Of a call whose answer came: its return. Undefined for a return, and for a call of unknown outcome. */
  readonly answered: Event | undefined;
  readonly isCall: boolean;
  previous: Event | undefined;
  next: Event | undefined;
}

function checkKey(key: string, all: readonly Operation[], stepsMax: number): KeyReport {
  // A get without an answer says nothing.
  const operations = all.filter(({ call, answer }) => !(call.kind === "get" && answer.kind === "unknown"));
  const search = new Search(operations);
  const verdict = search.run(stepsMax);
  const around = verdict === "violation" ? search.furthest() : [];
  return { key, verdict, operations: operations.length, around };
}

class Search {
  readonly #operations: readonly Operation[];
  readonly #head: Event;
  readonly #tried = new Set<string>();
  readonly #placed: { readonly event: Event; readonly before: Value; readonly chosen: boolean }[] = [];
  /** One bit for each call that has its place. */
  #bits = 0n;
  #value: Value;
  #answersLeft: number;
  #stuck: { readonly placed: number; readonly event: Event; readonly value: Value } | undefined;

  constructor(operations: readonly Operation[]) {
    this.#operations = operations;
    this.#answersLeft = operations.filter(({ answer }) => answer.kind !== "unknown").length;
    this.#head = listOf(operations);
  }

  run(stepsMax: number): Verdict {
    this.#placeWhatChangesNothing();
    let event = this.#head.next;
    for (let steps = 0; this.#answersLeft > 0; steps++) {
      if (steps > stepsMax) return "undecided";
      if (event?.isCall) {
        if (this.#place(event)) {
          this.#placeWhatChangesNothing();
          event = this.#head.next;
        } else event = event.next;
        continue;
      }
      // A return whose call has no place yet: the last call that was placed by choice must go elsewhere.
      if (event) this.#noteStuck(event);
      const last = this.#takeBackChoice();
      if (!last) return "violation";
      event = last.next;
    }
    return "linearizable";
  }

  furthest(): readonly string[] {
    if (!this.#stuck) return [];
    const { event, value } = this.#stuck;
    const at = event.operation.begin;
    const near = this.#operations
      .filter(({ begin, end, answer }) => begin <= event.operation.end && (answer.kind === "unknown" || end >= at))
      .slice(0, 24)
      .map(spell);
    return [`no order fits; the value would be ${value ?? "nothing"} when ${spell(event.operation)}`, ...near];
  }

  /** A choice: a call that changes the value goes next, unless that was tried from here before. */
  #place(event: Event): boolean {
    const outcome = step(event.operation, this.#value);
    if (!outcome) return false;
    const bits = this.#bits | (1n << BigInt(event.index));
    const seen = `${bits.toString(36)} ${outcome.next ?? ""}`;
    if (this.#tried.has(seen)) return false;
    this.#tried.add(seen);
    this.#put(event, { next: outcome.next, chosen: true });
    return true;
  }

  /**
   * No choice: a call that fits the present value and leaves it as it is may go first in every order that works, because
   * no other call notices.
   */
  #placeWhatChangesNothing(): void {
    for (let event = this.#head.next; event?.isCall; event = event.next) {
      const outcome = event.answered && step(event.operation, this.#value);
      if (outcome && outcome.next === this.#value) this.#put(event, { next: outcome.next, chosen: false });
    }
  }

  #put(event: Event, { next, chosen }: { next: Value; chosen: boolean }): void {
    this.#placed.push({ event, before: this.#value, chosen });
    this.#bits |= 1n << BigInt(event.index);
    this.#value = next;
    unlink(event);
    if (event.answered) {
      unlink(event.answered);
      this.#answersLeft--;
    }
  }

  /** Back to before the last choice; answers the call that was chosen. */
  #takeBackChoice(): Event | undefined {
    for (let last = this.#placed.pop(); last; last = this.#placed.pop()) {
      this.#takeBack(last.event, last.before);
      if (last.chosen) return last.event;
    }
    return undefined;
  }

  #takeBack(event: Event, before: Value): void {
    this.#value = before;
    this.#bits &= ~(1n << BigInt(event.index));
    if (event.answered) {
      relink(event.answered);
      this.#answersLeft++;
    }
    relink(event);
  }

  #noteStuck(event: Event): void {
    const placed = this.#placed.length;
    if (!this.#stuck || placed > this.#stuck.placed) this.#stuck = { placed, event, value: this.#value };
  }
}

function listOf(operations: readonly Operation[]): Event {
  const events = operations.flatMap((operation, index): { at: number; event: Event }[] => {
    const blank = { operation, index, previous: undefined, next: undefined };
    if (operation.answer.kind === "unknown") {
      return [{ at: operation.begin, event: { ...blank, isCall: true, answered: undefined } }];
    }
    const answered: Event = { ...blank, isCall: false, answered: undefined };
    return [
      { at: operation.begin, event: { ...blank, isCall: true, answered } },
      { at: operation.end, event: answered },
    ];
  });
  // At the same moment calls stand before returns: calls that touch may have overlapped.
  events.sort((a, b) => a.at - b.at || Number(b.event.isCall) - Number(a.event.isCall));
  const [first] = operations;
  const head = { operation: first, index: -1, isCall: true } as Event;
  let last = head;
  for (const { event } of events) {
    last.next = event;
    event.previous = last;
    last = event;
  }
  return head;
}

function unlink(event: Event): void {
  if (event.previous) event.previous.next = event.next;
  if (event.next) event.next.previous = event.previous;
}

function relink(event: Event): void {
  if (event.previous) event.previous.next = event;
  if (event.next) event.next.previous = event;
}

function groupByKey(history: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    const same = keys.get(operation.key);
    if (same) same.push(operation);
    else keys.set(operation.key, [operation]);
  }
  return keys;
}
