import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ResumeStore } from "@cairn/client";
import { limits } from "@cairn/protocol";

/** What tells one upload from another: the same command on the same content finds its session again. */
export interface UploadIdentity {
  readonly server: string;
  /** Absolute path on this machine. */
  readonly path: string;
  readonly size: number;
  readonly modifiedAt: number;
  /** Path in the drive. */
  readonly target: string;
}

const entriesMax = 10_000;

/** Unfinished uploads, one small file each, so that any later run can go on with them. */
export class UploadLedger {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The memory of one upload. */
  storeFor(identity: UploadIdentity): ResumeStore {
    const { server, path, size, modifiedAt, target } = identity;
    const fileOf = (key: string): string => {
      const name = createHash("sha256").update(JSON.stringify([server, path, size, modifiedAt, target, key]));
      return join(this.#folder, `${name.digest("hex").slice(0, 40)}.json`);
    };
    return {
      get: (key) => readUpload(fileOf(key)),
      set: (key, upload) => this.#keep(fileOf(key), { upload, path, target }),
      delete: (key) => rm(fileOf(key), { force: true }),
    };
  }

  /** Forgets uploads that the server has dropped by now. */
  async forgetOld(nowMs: number): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names.slice(0, entriesMax)) {
      const file = join(this.#folder, name);
      const found = await stat(file).catch(() => undefined);
      if (found && nowMs - found.mtimeMs > limits.uploadIdleMs) await rm(file, { force: true });
    }
  }

  /** Renamed into place, so that a killed process never leaves half an entry. */
  async #keep(file: string, entry: { upload: string; path: string; target: string }): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const draft = `${file}.${process.pid}`;
    await writeFile(draft, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    await rename(draft, file);
  }
}

async function readUpload(file: string): Promise<string | undefined> {
  try {
    const entry = JSON.parse(await readFile(file, "utf8")) as { upload?: unknown };
    return typeof entry.upload === "string" ? entry.upload : undefined;
  } catch {
    // Without a readable entry the upload starts anew; what is stored already is recognised by its hash.
    return undefined;
  }
}
