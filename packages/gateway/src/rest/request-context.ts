import {
  type CommitId,
  type DriveId,
  type Entry,
  type EntryAddress,
  type EntryId,
  idFromBytes,
  isKind,
  newId,
  parseId,
  StorageError,
  utf8,
} from "@cairn/protocol";
import type { FastifyRequest } from "fastify";
import type { GatewayOptions } from "../gateway-options.ts";

const drivesTtlMs = 2000;

interface PlaceInFolder {
  readonly parentId: string | undefined;
  readonly name: string | undefined;
  readonly drive: string | undefined;
}

/** What the routes need to understand a request: which drive, which entry, which change. */
export class RequestContext {
  readonly #options: GatewayOptions;
  #drives: { readonly byName: ReadonlyMap<string, { id: DriveId; root: EntryId }>; readonly until: number } | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** A drive by name or id; absent: `main`. Throws not-found. */
  async drive(nameOrId: string | undefined): Promise<{ id: DriveId; root: EntryId }> {
    const wanted = nameOrId ?? "main";
    const found = (await this.#knownDrives()).get(wanted);
    if (found) return found;
    throw new StorageError("not-found", "find drive", wanted, { hint: "GET /api/v1/drives lists the drives." });
  }

  /** An entry by id, or by a unique beginning of one. */
  async address(id: string, drive: string | undefined): Promise<EntryAddress> {
    if (/^f_.{26}$/i.test(id)) return { id: parseId("f_", id) };
    return { drive: (await this.drive(drive)).id, idPrefix: id };
  }

  /** The id of what stands at an address. Throws not-found, conflict. */
  async entryId(address: EntryAddress): Promise<EntryId> {
    return "id" in address ? address.id : (await this.#options.metadata.stat(address)).id;
  }

  /** What stands at an address; undefined when nothing does. */
  async find(address: EntryAddress): Promise<Entry | undefined> {
    try {
      return await this.#options.metadata.stat(address);
    } catch (error) {
      if (isKind(error, "not-found")) return undefined;
      throw error;
    }
  }

  /** The path of a name in a folder. Throws invalid when one of them is missing. */
  async pathBelow({ parentId, name, drive }: PlaceInFolder): Promise<string> {
    if (parentId === undefined || name === undefined)
      throw new StorageError("invalid", "make folder", "name a path, or parentId and name");
    if (name.includes("/")) throw new StorageError("invalid", "make folder", `'/' cannot be in a name: ${name}`);
    const parent = await this.#options.metadata.stat(await this.address(parentId, drive));
    return `${parent.path === "/" ? "" : parent.path}/${name}`;
  }

  /** The folder at a path, made with all above it when it is not there. */
  async folderAt(request: FastifyRequest, drive: { id: DriveId; root: EntryId }, path: string): Promise<EntryId> {
    if (path === "") return drive.root;
    const there = await this.find({ drive: drive.id, path });
    if (there) return there.id;
    const commit = await this.commitId(request, "folders");
    return (await this.#options.metadata.createFolder(commit, { drive: drive.id, path, parents: true })).id;
  }

  /**
   * The change that a request names with Idempotency-Key, so that a retry gets the first answer; else a new one. A request
   * that makes several changes names the others by `purpose`.
   */
  async commitId(request: FastifyRequest, purpose = ""): Promise<CommitId> {
    const key = request.headers["idempotency-key"];
    const { clock, random, hasher } = this.#options.env;
    if (typeof key !== "string") return newId("cm_", clock.now(), random.bytes(10));
    if (key.length > 255) throw new StorageError("invalid", "read Idempotency-Key", "it is longer than 255");
    if (purpose === "" && /^cm_[0-9a-z]{26}$/i.test(key)) return parseId("cm_", key);
    // The same key of another user is another change.
    const hash = await hasher.sha256(utf8(`${request.principal?.token ?? ""}\n${purpose}\n${key}`));
    return idFromBytes("cm_", hash.subarray(0, 16));
  }

  async #knownDrives(): Promise<ReadonlyMap<string, { id: DriveId; root: EntryId }>> {
    const now = this.#options.env.clock.monotonic();
    if (!this.#drives || this.#drives.until < now) {
      const drives = await this.#options.metadata.drives();
      const byName = new Map(drives.flatMap((drive) => [[drive.name, drive] as const, [drive.id, drive] as const]));
      this.#drives = { byName, until: now + drivesTtlMs };
    }
    return this.#drives.byName;
  }
}
