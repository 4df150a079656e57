import type { Disk, DiskFile } from "@cairn/env";
import { concatBytes, StorageError } from "@cairn/protocol";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { FileBody } from "./file-body.ts";
import type { Life } from "./life.ts";
import type { Platter } from "./platter.ts";

/** How a disk misbehaves; each is the chance in [0, 1] that a call is hit. */
export interface DiskFaults {
  readError: number;
  writeError: number;
  syncError: number;
  nameError: number;
  /** A read sees a flipped bit that is not on the medium. */
  readFlip: number;
  /** A write goes to another place of the same file. */
  misdirected: number;
  /** Time of a call in ms: between nothing and this. */
  latencyMs: number;
}

export interface DiskPort {
  readonly life: Life;
  readonly random: SeededRandom;
  readonly faults: DiskFaults;
  /** Told of each fault that was injected. */
  readonly faulted: (what: string) => void;
}

/** A platter as one process uses it: calls take time, fail as the faults say, and never return after the process's end. */
export class PlatterDisk implements Disk {
  readonly #platter: Platter;
  readonly #port: DiskPort;

  constructor(platter: Platter, port: DiskPort) {
    this.#platter = platter;
    this.#port = port;
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    await this.#call("open", path, mode === "create" ? "nameError" : "readError");
    const body = mode === "create" ? this.#platter.create(path) : this.#platter.file(path);
    if (!body) throw new StorageError("not-found", "open file", path);
    return new PlatterFile(path, body, { platter: this.#platter, port: this.#port, writable: mode !== "read" });
  }

  async list(folder: string): Promise<readonly string[]> {
    await this.#call("list", folder, "readError");
    return this.#platter.list(folder);
  }

  async makeFolder(path: string): Promise<void> {
    await this.#call("make-folder", path, "nameError");
    this.#platter.makeFolder(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call("rename", from, "nameError");
    this.#platter.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await this.#call("remove", path, "nameError");
    this.#platter.remove(path);
  }

  async removeFolder(path: string): Promise<void> {
    await this.#call("remove-folder", path, "nameError");
    this.#platter.removeFolder(path);
  }

  async syncFolder(path: string): Promise<void> {
    await this.#call("sync-folder", path, "syncError");
    this.#platter.syncFolder(path);
  }

  async exists(path: string): Promise<boolean> {
    await this.#call("exists", path, "readError");
    return this.#platter.file(path) !== undefined || this.#platter.isFolder(path);
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    await this.#call("space", ".", "readError");
    return { totalBytes: this.#platter.totalBytes, freeBytes: this.#platter.freeBytes };
  }

  async lock(path: string): Promise<AsyncDisposable> {
    await this.#call("lock", path);
    const release = this.#platter.lock(path);
    return {
      [Symbol.asyncDispose]: async (): Promise<void> => release(),
    };
  }

  #call(operation: string, path: string, fault?: FaultName): Promise<void> {
    return diskCall(this.#port, { operation, path, fault });
  }
}

type FaultName = "readError" | "writeError" | "syncError" | "nameError";

async function diskCall(
  { life, random, faults, faulted }: DiskPort,
  { operation, path, fault }: { operation: string; path: string; fault?: FaultName | undefined },
): Promise<void> {
  await life.pause(random.fraction() * faults.latencyMs);
  if (!fault || faults[fault] === 0 || random.fraction() >= faults[fault]) return;
  faulted(fault);
  throw ioError(operation, path);
}

function ioError(operation: string, path: string): StorageError {
  return new StorageError("internal", operation, path, { cause: new Error("injected I/O error") });
}

class PlatterFile implements DiskFile {
  readonly #path: string;
  readonly #body: FileBody;
  readonly #world: { readonly platter: Platter; readonly port: DiskPort; readonly writable: boolean };
  #closed = false;

  constructor(
    path: string,
    body: FileBody,
    world: { readonly platter: Platter; readonly port: DiskPort; readonly writable: boolean },
  ) {
    this.#path = path;
    this.#body = body;
    this.#world = world;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    await this.#call("read", "readError");
    const count = this.#body.read(buffer, position);
    const { random, faults, faulted } = this.#world.port;
    if (faults.readFlip > 0 && count > 0 && random.fraction() < faults.readFlip) {
      faulted("readFlip");
      const at = random.integer(count);
      buffer[at] = (buffer[at] ?? 0) ^ (1 << random.integer(8));
    }
    return count;
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    const { random, faults, faulted } = this.#world.port;
    this.#assertOpen("write");
    const bytes = concatBytes(buffers).slice();
    try {
      await this.#call("write", "writeError");
    } catch (error) {
      this.#store(bytes.subarray(0, random.integer(bytes.length + 1)), position);
      throw error;
    }
    if (!this.#world.writable) throw new StorageError("internal", "write file", `${this.#path} is read-only`);
    let place = position;
    if (faults.misdirected > 0 && this.#body.length > 0 && random.fraction() < faults.misdirected) {
      faulted("misdirected");
      place = random.integer(this.#body.length);
    }
    this.#store(bytes, place);
  }

  async syncData(): Promise<void> {
    try {
      await this.#call("sync", "syncError");
    } catch (error) {
      this.#body.failSync();
      throw error;
    }
    this.#body.sync();
  }

  async truncate(length: number): Promise<void> {
    await this.#call("truncate", "writeError");
    this.#body.truncate(length);
  }

  async size(): Promise<number> {
    await this.#call("size", "readError");
    return this.#body.length;
  }

  async close(): Promise<void> {
    await this.#call("close");
    this.#closed = true;
  }

  /** A full disk keeps what fits. */
  #store(bytes: Uint8Array, position: number): void {
    const growth = Math.max(position + bytes.length - this.#body.length, 0);
    const missing = Math.max(growth - this.#world.platter.freeBytes, 0);
    const fitting = bytes.subarray(0, Math.max(bytes.length - missing, 0));
    if (fitting.length > 0) this.#body.write(fitting, position);
    if (missing === 0) return;
    this.#world.port.faulted("noSpace");
    throw new StorageError("no-space", "write file", this.#path);
  }

  #call(operation: string, fault?: FaultName): Promise<void> {
    this.#assertOpen(operation);
    return diskCall(this.#world.port, { operation, path: this.#path, fault });
  }

  #assertOpen(operation: string): void {
    if (this.#closed) throw new StorageError("internal", operation, `${this.#path} was closed`);
  }
}
