import type { Disk, DiskFile } from "@cairn/env";
import { concatBytes, StorageError } from "@cairn/protocol";

/** One call that a fault may hit. */
export interface DiskCall {
  readonly operation: DiskCallName;
  readonly path: string;
  /** Which call of this operation it is, over all paths; starts at 1. */
  readonly count: number;
}
export type DiskCallName =
  | "open"
  | "list"
  | "make-folder"
  | "rename"
  | "remove"
  | "remove-folder"
  | "sync-folder"
  | "exists"
  | "space"
  | "lock"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "size";

/**
 * What goes wrong. `keepBytes` of a failing write are stored; `short` returns so many bytes less than asked for;
 * `flip` turns one bit of what is read; `misdirect` moves a read or a write by so many bytes.
 */
export type DiskFault =
  | { readonly fault: "io-error"; readonly keepBytes?: number }
  | { readonly fault: "no-space"; readonly keepBytes?: number }
  | { readonly fault: "short"; readonly missingBytes: number }
  | { readonly fault: "flip"; readonly bit: number }
  | { readonly fault: "misdirect"; readonly byBytes: number };

/** Decides about each call; undefined lets it pass. */
export type FaultPlan = (call: DiskCall) => DiskFault | undefined;

/** A disk that fails as planned and otherwise does what the disk behind it does. */
export class FaultyDisk implements Disk {
  readonly #disk: Disk;
  readonly #counts = new Map<DiskCallName, number>();
  /** May be replaced at any time. */
  plan: FaultPlan;
  /** Faults that were injected: a test that injected none has proved nothing. */
  hits = 0;

  constructor(disk: Disk, plan: FaultPlan = () => undefined) {
    this.#disk = disk;
    this.plan = plan;
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    this.#pass("open", path);
    const file = await this.#disk.open(path, mode);
    return new FaultyFile(file, path, (operation) => this.#faultOf(operation, path));
  }

  async list(folder: string): Promise<readonly string[]> {
    this.#pass("list", folder);
    return this.#disk.list(folder);
  }

  async makeFolder(path: string): Promise<void> {
    this.#pass("make-folder", path);
    await this.#disk.makeFolder(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#pass("rename", from);
    await this.#disk.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    this.#pass("remove", path);
    await this.#disk.remove(path);
  }

  async removeFolder(path: string): Promise<void> {
    this.#pass("remove-folder", path);
    await this.#disk.removeFolder(path);
  }

  async syncFolder(path: string): Promise<void> {
    this.#pass("sync-folder", path);
    await this.#disk.syncFolder(path);
  }

  async exists(path: string): Promise<boolean> {
    this.#pass("exists", path);
    return this.#disk.exists(path);
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    this.#pass("space", ".");
    return this.#disk.space();
  }

  async lock(path: string): Promise<AsyncDisposable> {
    this.#pass("lock", path);
    return this.#disk.lock(path);
  }

  #pass(operation: DiskCallName, path: string): void {
    const fault = this.#faultOf(operation, path);
    if (fault) throw errorOf(fault, operation, path);
  }

  #faultOf(operation: DiskCallName, path: string): DiskFault | undefined {
    const count = (this.#counts.get(operation) ?? 0) + 1;
    this.#counts.set(operation, count);
    const fault = this.plan({ operation, path, count });
    if (fault) this.hits++;
    return fault;
  }
}

class FaultyFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #path: string;
  readonly #faultOf: (operation: DiskCallName) => DiskFault | undefined;

  constructor(file: DiskFile, path: string, faultOf: (operation: DiskCallName) => DiskFault | undefined) {
    this.#file = file;
    this.#path = path;
    this.#faultOf = faultOf;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    const fault = this.#faultOf("read");
    if (!fault) return this.#file.read(buffer, position);
    switch (fault.fault) {
      case "short":
        return this.#file.read(buffer.subarray(0, Math.max(buffer.length - fault.missingBytes, 0)), position);
      case "misdirect":
        return this.#file.read(buffer, Math.max(position + fault.byBytes, 0));
      case "flip": {
        const done = await this.#file.read(buffer, position);
        const byte = Math.floor(fault.bit / 8) % Math.max(done, 1);
        buffer[byte] = (buffer[byte] ?? 0) ^ (1 << (fault.bit % 8));
        return done;
      }
      default:
        throw errorOf(fault, "read", this.#path);
    }
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const fault = this.#faultOf("write");
    if (!fault) return this.#file.write(buffers, position);
    if (fault.fault === "misdirect") return this.#file.write(buffers, Math.max(position + fault.byBytes, 0));
    if ("keepBytes" in fault && fault.keepBytes) {
      await this.#file.write([concatBytes(buffers).subarray(0, fault.keepBytes)], position);
    }
    throw errorOf(fault, "write", this.#path);
  }

  async syncData(): Promise<void> {
    const fault = this.#faultOf("sync");
    if (fault) throw errorOf(fault, "sync", this.#path);
    await this.#file.syncData();
  }

  async truncate(length: number): Promise<void> {
    const fault = this.#faultOf("truncate");
    if (fault) throw errorOf(fault, "truncate", this.#path);
    await this.#file.truncate(length);
  }

  async size(): Promise<number> {
    const fault = this.#faultOf("size");
    if (fault) throw errorOf(fault, "size", this.#path);
    return this.#file.size();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function errorOf(fault: DiskFault, operation: DiskCallName, path: string): StorageError {
  const kind = fault.fault === "no-space" ? "no-space" : "internal";
  return new StorageError(kind, operation, path, { cause: new Error(`injected fault: ${fault.fault}`) });
}
