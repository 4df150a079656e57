/** The value of a register; undefined: there is none. */
export type Value = string | undefined;

export type Call =
  | { readonly kind: "get" }
  | { readonly kind: "put"; readonly value: string }
  | { readonly kind: "delete" }
  /** Only if there is none. */
  | { readonly kind: "create"; readonly value: string }
  /** Only if the value is the expected one. */
  | { readonly kind: "cas"; readonly expected: string; readonly value: string };

/**
 * What the caller was told. `refused` is a fact: the condition did not hold, or there was nothing to delete. `unknown`: it
 * may have happened at any time after the call, or never. A get answers the value, or is unknown.
 */
export type Answer =
  | { readonly kind: "done" }
  | { readonly kind: "refused" }
  | { readonly kind: "unknown" }
  | { readonly kind: "value"; readonly value: Value };

/** One call of one client; times of one monotonic clock. */
export interface Operation {
  readonly key: string;
  readonly client: number;
  readonly call: Call;
  readonly begin: number;
  /** Of no meaning while the answer is unknown. */
  readonly end: number;
  readonly answer: Answer;
}

/** What a register does: the next value, or undefined when the answer cannot be given in this state. */
export function step({ call, answer }: Operation, value: Value): { readonly next: Value } | undefined {
  switch (call.kind) {
    case "get":
      return answer.kind === "value" && answer.value === value ? { next: value } : undefined;
    case "put":
      return conditional(answer, true, { value, next: call.value });
    case "delete":
      return conditional(answer, value !== undefined, { value, next: undefined });
    case "create":
      return conditional(answer, value === undefined, { value, next: call.value });
    case "cas":
      return conditional(answer, value === call.expected, { value, next: call.value });
  }
}

/** A call of unknown outcome is only worth placing where it has an effect. */
function conditional(
  answer: Answer,
  holds: boolean,
  { value, next }: { value: Value; next: Value },
): { readonly next: Value } | undefined {
  if (answer.kind === "refused") return holds ? undefined : { next: value };
  return holds ? { next } : undefined;
}

/** A call on one line, for people. */
export function spell({ client, call, answer, begin, end }: Operation): string {
  const what =
    call.kind === "cas"
      ? `cas ${call.expected} → ${call.value}`
      : "value" in call
        ? `${call.kind} ${call.value}`
        : call.kind;
  const said = answer.kind === "value" ? (answer.value ?? "nothing") : answer.kind;
  const until = answer.kind === "unknown" ? "…" : end.toFixed(1);
  return `[${begin.toFixed(1)} – ${until}] client ${client}: ${what} → ${said}`;
}
