import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CairnClient } from "@cairn/client";
import { NodeDisk, nodeEnv } from "@cairn/env-node";
import type { ChunkId, Generation, GroupId, StorageError } from "@cairn/protocol";
import { DiskEngine, type DiskIdentity, engineCrashPoints } from "@cairn/storage-node";
import { describe, expect, test } from "vitest";
import { digestOf, readAll, seededBytes } from "../support/content.ts";
import * as chunks from "../support/engine-chunks.mjs";
import { CairnProcess, temporaryFolder } from "../support/processes.ts";

const program = fileURLToPath(new URL("../support/engine-program.mjs", import.meta.url));
const chunkOf = chunks.chunkOf as (index: number) => { id: ChunkId; generation: Generation; bytes: Uint8Array };
const identity = chunks.identity as unknown as DiskIdentity;

/** Runs the program on a disk; `point` ends it there. Tells how it ended and what it said. */
function run(disk: string, start: number, point?: string): { signal: string | null; said: string[] } {
  const environment = { ...process.env, ...(point === undefined ? {} : { CAIRN_CRASH_AT: point }) };
  const { signal, status, stdout, stderr } = spawnSync(process.execPath, [program, disk, String(start)], {
    env: environment,
    encoding: "utf8",
  });
  if (signal === null && status !== 0) throw new Error(stderr);
  return { signal, said: stdout.split("\n").filter((line) => line !== "") };
}

describe("a storage engine whose process is killed", { timeout: 60_000 }, () => {
  // Opened again and gone on with, a disk also reaches the points that a new one does not.
  test.each([...engineCrashPoints])("at %s keeps what it acknowledged, and goes on", async (point) => {
    using folder = temporaryFolder();
    const first = run(folder.path, 0, point);
    const second = first.signal === null ? run(folder.path, 200, point) : run(folder.path, 200);
    expect(first.signal ?? second.signal, "the point was reached").toBe("SIGKILL");
    const said = [...first.said, ...second.said];

    await using env = nodeEnv({ name: "test", level: "silent" });
    await using engine = await DiskEngine.open(env, new NodeDisk(folder.path), { expected: identity });
    const deleted = new Set(said.filter((line) => line.startsWith("delete ")).map((line) => line.slice(7)));
    const kept = said.filter((line) => line.startsWith("put ")).map((line) => line.slice(4));
    expect(kept.length).toBeGreaterThanOrEqual(first.signal === null ? 30 : 0);
    for (const line of kept) {
      const [group = 0, index = 0] = line.split(" ").map(Number);
      const { id, bytes } = chunkOf(index);
      const read = await engine.read(group as GroupId, id).catch((error: StorageError) => error.kind);
      const found = typeof read === "string" ? read : digestOf(read.bytes);
      // The kill may have come between a delete's sync and its acknowledgement.
      if (deleted.has(line)) expect([line, found]).toEqual([line, "not-found"]);
      else if (found !== "not-found" || !isBeingDeleted(said, line))
        expect([line, found]).toEqual([line, digestOf(bytes)]);
    }
    expect((await engine.verify()).damaged).toBe(0);
  });
});

/** True for the put whose delete came next when the process was killed, and for one in the group that is dropped. */
function isBeingDeleted(said: readonly string[], line: string): boolean {
  const [group = 0, index] = line.split(" ").map(Number);
  if (group === 90 || group === 290) return true;
  const deletes = said
    .filter((other) => other.startsWith(`delete ${group} `))
    .map((other) => Number(other.split(" ")[2]));
  const start = (index ?? 0) >= 200 ? 200 : 0;
  const next = Math.max(start - 4, ...deletes.filter((it) => it >= start && it < start + 200)) + 4;
  return group === 1 && index === next;
}

describe("a metadata server that is killed in a commit", { timeout: 60_000 }, () => {
  test.each(["metadata.commit.before-durable", "metadata.commit.after-durable"])(
    "at %s: the client's upload happens exactly once",
    async (point) => {
      using folder = temporaryFolder();
      const config = { XDG_CONFIG_HOME: join(folder.path, "config") };
      const place = (name: string): string[] => ["--data", join(folder.path, name)];
      await using begun = new CairnProcess(["server", "metadata", ...place("metadata"), "--port", "0"], config);
      await begun.ready();
      const profile = JSON.parse(readFileSync(join(folder.path, "metadata", "client.json"), "utf8")) as {
        url: string;
        token: string;
      };
      await using client = new CairnClient(profile);
      const { secret } = await client.createJoinToken({ expiresInMs: 600_000 });
      const joining = ["--metadata", profile.url, "--join", secret];
      await using one = new CairnProcess(["server", "node", ...place("one"), ...joining]);
      await using two = new CairnProcess(["server", "node", ...place("two"), ...joining]);
      await Promise.all([one.ready(), two.ready()]);
      await client.upload({ bytes: seededBytes("before", 5000) }, { name: "before" });
      await begun.signal("SIGTERM");

      const again = ["server", "metadata", ...place("metadata"), "--port", new URL(profile.url).port];
      await using armed = new CairnProcess(again, { ...config, CAIRN_CRASH_AT: point });
      await armed.ready();
      const bytes = seededBytes("during", 100_000);
      const upload = client.upload({ bytes }, { name: "during" });
      expect(await armed.ended()).toBe("SIGKILL");
      await using mended = new CairnProcess(again, config);
      await mended.ready();
      const { entry } = await upload;
      expect((await client.list("/")).items.map(({ name }) => name)).toEqual(["before", "during"]);
      expect((await client.listVersions(entry.id)).items.length).toBe(1);
      expect(digestOf(await readAll(client, entry.id))).toBe(digestOf(bytes));
    },
  );
});
