// What users do, through the SDK, against a real cluster of processes.
import { randomFillSync } from "node:crypto";
import { inParallel, MiB, seconds, withUsage } from "./measure.mjs";

/** One large file up and down again: MiB/s of the file's bytes, and what each process spent. */
export async function largeFile(client, pids, { bytes }) {
  // Each block repeats the same bytes but for a number in every chunk, so that no chunk is known already; blocks are small,
  // because the memory of this process is measured too.
  const pattern = randomFillSync(Buffer.alloc(4 * MiB));
  const stream = async function* () {
    for (let sent = 0; sent < bytes; sent += pattern.length) {
      const block = Buffer.from(pattern);
      for (let offset = 0; offset < block.length; offset += MiB) block.writeUInt32LE((sent + offset) / MiB, offset);
      yield block.subarray(0, Math.min(block.length, bytes - sent));
    }
  };
  let entry;
  const up = await withUsage(pids, () =>
    seconds(async () => {
      entry = (await client.upload({ stream: stream() }, { folder: "/", name: `large-${Date.now()}` })).entry;
    }),
  );
  let received = 0;
  const down = await withUsage(pids, () =>
    seconds(async () => {
      for await (const piece of (await client.download(entry.id)).bytes) received += piece.length;
    }),
  );
  if (received !== bytes) throw new Error(`read ${received} of ${bytes} bytes`);
  return {
    upload: { MiBps: bytes / MiB / up.result, usage: up.usage },
    download: { MiBps: bytes / MiB / down.result, usage: down.usage },
    entry,
  };
}

/** Many small files with 32 under way: files per second up and down. */
export async function smallFiles(client, pids, { bodyBytes, count, inFlight = 32 }) {
  const folder = `/small-${bodyBytes}-${Date.now()}`;
  await client.createFolder(folder, { parents: true });
  const ids = new Array(count);
  const bodies = Array.from({ length: count }, () => randomFillSync(Buffer.alloc(bodyBytes)));
  const up = await withUsage(pids, () =>
    seconds(() =>
      inParallel(count, inFlight, async (index) => {
        ids[index] = (await client.upload({ bytes: bodies[index] }, { folder, name: `file-${index}` })).entry.id;
      }),
    ),
  );
  const down = await withUsage(pids, () =>
    seconds(() =>
      inParallel(count, inFlight, async (index) => {
        let received = 0;
        for await (const piece of (await client.download(ids[index])).bytes) received += piece.length;
        if (received !== bodyBytes) throw new Error(`read ${received} of ${bodyBytes} bytes`);
      }),
    ),
  );
  return {
    upload: { perSecond: count / up.result, usage: up.usage },
    download: { perSecond: count / down.result, usage: down.usage },
  };
}

/** Uploads the same content under another name: seconds, and chunk bytes that reached the nodes. */
export async function knownContent(client, { bytes, nodeBytesReceived }) {
  const content = randomFillSync(Buffer.alloc(bytes));
  await client.upload({ bytes: content }, { folder: "/", name: `known-${Date.now()}` });
  const before = await nodeBytesReceived();
  const elapsed = await seconds(() =>
    client.upload({ bytes: content }, { folder: "/", name: `known-again-${Date.now()}` }),
  );
  return { MiBps: bytes / MiB / elapsed, networkBytes: (await nodeBytesReceived()) - before, bytes };
}
