import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { CairnClient } from "@cairn/client";
import { checkCluster, type FsckOptions, type FsckReport, foldersBelow } from "@cairn/fsck";
import { crc32c } from "@node-rs/crc32";
import { DatabaseSync } from "@photostructure/sqlite";
import { MiB, seededBytes } from "../support/content.ts";

/** A chunk of the filled cluster that exactly one file needs. */
export const loneFile = { path: "/lone.bin", bytes: seededBytes("lone", MiB / 2) } as const;

/** Names, versions, trash, folders, one chunk many times, a manifest in pages, and an upload that was left behind. */
export async function fill(client: CairnClient): Promise<void> {
  await client.upload({ bytes: loneFile.bytes }, { name: "lone.bin" });
  await client.createFolder("/reports/2024", { parents: true });
  for (let index = 0; index < 20; index++) {
    await client.upload(
      { bytes: seededBytes(`small ${index}`, 900 * (index + 1)) },
      { folder: "/reports/2024", name: `s${index}` },
    );
  }
  await client.upload({ bytes: seededBytes("large", 5 * MiB + 17) }, { name: "large.bin" });
  await client.upload({ bytes: seededBytes("large, changed", 3 * MiB) }, { name: "large.bin", onConflict: "version" });
  await client.upload({ bytes: new Uint8Array(0) }, { name: "empty" });
  const one = seededBytes("one chunk", MiB);
  await client.upload({ stream: repeated(one, 1100) }, { name: "repeated.bin" });
  await client.delete("/reports/2024/s1");
  await client.delete("/reports/2024/s2", { permanent: true });
  const controller = new AbortController();
  const left = client.upload(
    { stream: repeated(seededBytes("left", MiB), 200, () => controller.abort()) },
    { name: "left.bin" },
    { signal: controller.signal, resume: keptUploads },
  );
  await left.then(
    () => undefined,
    () => undefined,
  );
}

/** An upload that can go on later is not given up when it is stopped. */
const keptUploads = { get: async () => undefined, set: async () => undefined, delete: async () => undefined };

async function* repeated(piece: Uint8Array, times: number, atEnd?: () => void): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < times; index++) yield piece;
  atEnd?.();
}

/** A copy of a cluster's folder that a test may damage. */
export class StoredCluster implements Disposable {
  readonly data: string;

  constructor(original: string) {
    this.data = mkdtempSync(join(tmpdir(), "cairn-fsck-"));
    cpSync(original, this.data, { recursive: true, preserveTimestamps: true });
  }

  async check(options: FsckOptions = {}): Promise<FsckReport> {
    return await checkCluster(foldersBelow(this.data), { secondLookMs: 10, limit: 1000, ...options });
  }

  /** Kinds that are not notes, each with its count. */
  async faults(options: FsckOptions = {}): Promise<Record<string, number>> {
    const { totals } = await this.check(options);
    return Object.fromEntries(totals.filter(({ level }) => level !== "note").map(({ kind, count }) => [kind, count]));
  }

  database<Result>(work: (database: InstanceType<typeof DatabaseSync>) => Result): Result {
    const database = new DatabaseSync(join(this.data, "metadata", "metadata.sqlite"));
    try {
      return work(database);
    } finally {
      database.close();
    }
  }

  run(text: string, ...values: (string | number | Uint8Array)[]): void {
    this.database((database) => {
      database.exec("PRAGMA foreign_keys=OFF");
      database.prepare(text).run(...values);
    });
  }

  /** Where a chunk's record stands on each disk that has it. */
  places(hash: Uint8Array): readonly { readonly file: string; readonly record: number }[] {
    return this.files()
      .filter((file) => /\/\d{8}\.seg$/.test(file))
      .flatMap((file) => {
        const at = readFileSync(join(this.data, file)).indexOf(hash);
        return at < 0 ? [] : [{ file, record: at - 56 }];
      });
  }

  /** Turns one bit over. */
  flip(file: string, offset: number): void {
    const path = join(this.data, file);
    const bytes = readFileSync(path);
    bytes[offset] = (bytes[offset] ?? 0) ^ 4;
    writeFileSync(path, bytes);
  }

  /** Changes a byte of a record's payload and makes its checksums anew, as a node with broken memory would write it. */
  forge(file: string, record: number): void {
    const path = join(this.data, file);
    const bytes = readFileSync(path);
    const length = bytes.readUInt32LE(record + 12);
    const blocks = Math.ceil(length / 65_536);
    const payload = bytes.subarray(record + 96 + 4 * blocks, record + 96 + 4 * blocks + length);
    payload[9] = (payload[9] ?? 0) ^ 1;
    bytes.writeUInt32LE(crc32c(payload.subarray(0, 65_536)), record + 96);
    bytes.writeUInt32LE(crc32c(bytes.subarray(record + 96, record + 96 + 4 * blocks)), record + 88);
    const headerCrc = crc32c(bytes.subarray(record + 8, record + 96));
    bytes.writeUInt32LE(headerCrc, record + 4);
    const end = record + Math.ceil((96 + 4 * blocks + length) / 8) * 8 + 8;
    bytes.writeUInt32LE(headerCrc, end - 4);
    writeFileSync(path, bytes);
  }

  /** All files, by their paths below the data folder. */
  files(): readonly string[] {
    return readdirSync(this.data, { recursive: true, withFileTypes: true })
      .filter((it) => it.isFile())
      .map((it) => relative(this.data, join(it.parentPath, it.name)))
      .sort();
  }

  /** Content and time of every file but SQLite's memory of the log. */
  fingerprint(): Record<string, string> {
    return Object.fromEntries(
      this.files()
        .filter((file) => !file.endsWith("-shm"))
        .map((file) => {
          const path = join(this.data, file);
          return [file, `${statSync(path).mtimeMs} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`];
        }),
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.data, { recursive: true, force: true });
  }
}

/** SHA-256 as bytes. */
export function hashOf(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
