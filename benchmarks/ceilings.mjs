// What this machine can do at most, measured in the same run as Cairn: disk, hash, bare HTTP.
import { fork } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Pool } from "undici";
import { inParallel, MiB, seconds } from "./measure.mjs";

/** Sequential writes of `bytes` to each of `copies` files with one fdatasync each: MiB/s of the bytes once. */
export async function diskWrite({ folder, bytes, copies }) {
  const buffer = randomFillSync(Buffer.alloc(MiB));
  mkdirSync(folder, { recursive: true });
  const files = await Promise.all(
    Array.from({ length: copies }, (_, copy) => open(join(folder, `ceiling-${copy}`), "w")),
  );
  const elapsed = await seconds(async () => {
    await Promise.all(
      files.map(async (file) => {
        for (let offset = 0; offset < bytes; offset += MiB) await file.write(buffer, 0, MiB, offset);
        await file.datasync();
      }),
    );
  });
  await Promise.all(files.map((file) => file.close()));
  for (let copy = 0; copy < copies; copy++) rmSync(join(folder, `ceiling-${copy}`));
  return bytes / MiB / elapsed;
}

/** Median ms of appending 4 KiB and syncing it. */
export async function syncLatency(folder) {
  const buffer = randomFillSync(Buffer.alloc(4096));
  const file = await open(join(folder, "ceiling-sync"), "w");
  const samples = [];
  for (let round = 0; round < 200; round++) {
    samples.push(
      await seconds(async () => {
        await file.write(buffer, 0, buffer.length, round * buffer.length);
        await file.datasync();
      }),
    );
  }
  await file.close();
  rmSync(join(folder, "ceiling-sync"));
  return samples.sort((a, b) => a - b)[100] * 1000;
}

/** SHA-256 of 1 MiB buffers on one core, MiB/s. */
export async function sha256() {
  const buffer = randomFillSync(Buffer.alloc(MiB));
  const elapsed = await seconds(async () => {
    for (let round = 0; round < 400; round++) createHash("sha256").update(buffer).digest();
  });
  return 400 / elapsed;
}

/** Starts as many bare servers as there are copies and hands their pools to `work`. */
export async function withBareServers(copies, work) {
  const servers = await Promise.all(
    Array.from({ length: copies }, async () => {
      const child = fork(new URL("./bare-server.mjs", import.meta.url), {
        stdio: ["ignore", "pipe", "inherit", "ipc"],
      });
      const port = Number(await new Promise((resolve) => child.stdout.once("data", (text) => resolve(String(text)))));
      return { child, pool: new Pool(`http://127.0.0.1:${port}`, { connections: 64, pipelining: 1 }) };
    }),
  );
  try {
    return await work(servers.map(({ pool }) => pool));
  } finally {
    for (const { child, pool } of servers) {
      await pool.close();
      child.disconnect();
    }
  }
}

/** Bodies PUT to all servers at once, `inFlight` at a time: bodies per second. */
export async function barePut(pools, { bodyBytes, count, inFlight }) {
  const body = randomFillSync(Buffer.alloc(bodyBytes));
  const put = async (pool) => {
    const reply = await pool.request({ method: "PUT", path: "/put", body });
    await reply.body.dump();
  };
  const elapsed = await seconds(() => inParallel(count, inFlight, () => Promise.all(pools.map(put))));
  return count / elapsed;
}

/** Bodies fetched from the servers in turn: bodies per second. */
export async function bareGet(pools, { bodyBytes, count, inFlight }) {
  const elapsed = await seconds(() =>
    inParallel(count, inFlight, async (index) => {
      const reply = await pools[index % pools.length].request({ method: "GET", path: `/get-${bodyBytes}` });
      for await (const piece of reply.body) piece.length;
    }),
  );
  return count / elapsed;
}
