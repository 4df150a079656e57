import { type GroupMember, isKind, type ManifestEntry, StorageError } from "@cairn/protocol";

/** Why no copy of a chunk could be read. */
export class ReadFailures {
  readonly #chunk: ManifestEntry;
  readonly #failures: { readonly member: GroupMember; readonly error: StorageError }[] = [];

  constructor(chunk: ManifestEntry) {
    this.#chunk = chunk;
  }

  add(member: GroupMember, error: StorageError): void {
    this.#failures.push({ member, error });
  }

  /** Members that answered, and do not have the chunk. */
  get missing(): readonly GroupMember[] {
    return this.#failures.filter(({ error }) => isKind(error, "not-found")).map(({ member }) => member);
  }

  /** `lost` when every member answered and none has good bytes; `unavailable` when some did not answer. */
  verdict(): StorageError {
    const { id } = this.#chunk;
    const silent = this.#failures.filter(({ error }) => !isKind(error, "not-found", "corrupt"));
    const nodes = [...new Set(silent.map(({ member }) => member.node))];
    const reasons = this.#failures.map(({ member, error }) => `${member.node}: ${error.kind}: ${error.subject}`);
    const details = { chunk: id, nodes, reasons };
    if (nodes.length > 0) {
      return new StorageError("unavailable", "read chunk", `no copy can be reached: ${reasons.join("; ")}`, {
        hint: `The bytes are readable again as soon as one of these is back: ${nodes.join(", ")}.`,
        details,
      });
    }
    const why = reasons.length === 0 ? "its group has no members" : reasons.join("; ");
    return new StorageError("lost", "read chunk", `no good copy is left: ${why}`, {
      hint: "Restore the file from an older version or a backup; a disk that left the cluster may still have a copy.",
      details,
    });
  }
}
