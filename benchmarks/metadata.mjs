// The metadata server by itself, in this process: grouped commits of files with one chunk, and pages of large folders.
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fromBase64Url, generationOf, newId, signReceipt } from "@cairn/protocol";
import { inParallel, round, seconds } from "./measure.mjs";

const groupSize = 32;
const groupsInFlight = 4;

/** Commits per second, and ms per page of 1,000 entries in folders of 10,000 and 100,000. */
export async function measureMetadata({ folder, commits }) {
  const { nodeEnv, openSqlite } = await import("../packages/env-node/dist/index.js");
  const { newMetadataKeys, openMetadata } = await import("../packages/metadata/dist/index.js");
  const { nodeCommandsAt } = await import("../packages/remote/dist/index.js");
  mkdirSync(folder, { recursive: true });
  const env = nodeEnv({ name: "bench", level: "silent" });
  const database = await openSqlite(join(folder, "metadata.sqlite"));
  const keys = newMetadataKeys(env.random);
  const opened = await openMetadata({
    ...{ env, database, keys, keysAreNew: true, copies: 2, version: "bench" },
    nodeCommandsAt: nodeCommandsAt(env),
  });
  try {
    const bench = new MetadataBench(env, opened);
    await bench.joinNodes(3);
    const commitsPerSecond = round(await bench.commitFiles(commits), 0);
    const page10k = await bench.pagesOf(10_000);
    const page100k = await bench.pagesOf(100_000);
    return { commitsPerSecond, page10k, page100k };
  } finally {
    await opened[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await env[Symbol.asyncDispose]();
  }
}

class MetadataBench {
  #receiptKeys = new Map();
  #nodes = [];
  #counter = 0;

  constructor(env, { metadata, membership, access }) {
    this.env = env;
    this.metadata = metadata;
    this.membership = membership;
    this.access = access;
  }

  async joinNodes(count) {
    const { secret } = await this.access.createJoinToken({ expiresInMs: 3_600_000 });
    for (let index = 1; index <= count; index++) {
      const bootNonce = `${index}`.padStart(32, "b");
      const space = { totalBytes: 1e12, freeBytes: 9e11 };
      const wish = {
        secret,
        bootNonce,
        url: `http://127.0.0.1:${index}`,
        version: "bench",
        disks: [{ uuid: `${index}`.padStart(32, "0"), ...space }],
      };
      const registration = await this.membership.register(wish);
      const [{ disk }] = registration.disks;
      this.#receiptKeys.set(disk, fromBase64Url(registration.receiptKey));
      this.#nodes.push({ registration, bootNonce, disk, space, sequence: 0 });
    }
    await this.#beat();
  }

  /** Files with one chunk each, their receipts signed beforehand: that is the nodes' work. */
  async commitFiles(count) {
    const [drive] = await this.metadata.drives();
    const parent = (
      await this.metadata.createFolder(this.#id("cm_"), { drive: drive.id, path: "/commits", parents: true })
    ).id;
    const lease = await this.metadata.openLease(drive.id, "bench");
    const requests = Array.from({ length: count }, (_, index) => this.#oneChunkFile({ drive, parent, lease, index }));
    const elapsed = await this.#commitAll(requests);
    return count / elapsed;
  }

  async pagesOf(count) {
    const [drive] = await this.metadata.drives();
    const parent = (
      await this.metadata.createFolder(this.#id("cm_"), { drive: drive.id, path: `/pages-${count}`, parents: true })
    ).id;
    const lease = await this.metadata.openLease(drive.id, "bench");
    await this.#commitAll(
      Array.from({ length: count }, (_, index) => this.#emptyFile({ drive, parent, lease, index })),
    );
    const samples = [];
    let cursor;
    do {
      const elapsed = await seconds(async () => {
        cursor = (await this.metadata.list(parent, { size: 1000, cursor })).cursor;
      });
      samples.push(elapsed * 1000);
    } while (cursor !== undefined);
    samples.sort((a, b) => a - b);
    return { p50Ms: round(samples[samples.length >> 1]), worstMs: round(samples.at(-1)) };
  }

  async #commitAll(requests) {
    const groups = [];
    for (let index = 0; index < requests.length; index += groupSize)
      groups.push(requests.slice(index, index + groupSize));
    return seconds(() =>
      inParallel(groups.length, groupsInFlight, async (index) => {
        if (index % 500 === 499) await this.#beat();
        const outcomes = await this.metadata.commit(groups[index]);
        const failure = outcomes.find(({ ok }) => !ok);
        if (failure) throw failure.error;
      }),
    );
  }

  #emptyFile({ drive, parent, lease, index }) {
    const target = { drive: drive.id, parent, name: `file-${String(index).padStart(7, "0")}.txt`, onConflict: "fail" };
    return { commit: this.#id("cm_"), lease: lease.id, target, size: 0, chunks: [] };
  }

  #oneChunkFile({ drive, parent, lease, index }) {
    const id = createHash("sha256").update(`chunk ${index}`).digest("hex");
    const group = lease.groups[index % lease.groups.length];
    const generation = generationOf(lease.id, ++this.#counter);
    const length = 4096;
    const receipts = group.members.map(({ disk }) =>
      signReceipt({ id, generation, group: group.id, epoch: group.epoch, length, disk }, (message) =>
        this.env.hasher.hmac(this.#receiptKeys.get(disk), message),
      ),
    );
    const chunks = [{ id, length, group: group.id, written: { generation, receipts } }];
    return { ...this.#emptyFile({ drive, parent, lease, index }), size: length, chunks };
  }

  async #beat() {
    for (const node of this.#nodes) {
      const { registration, bootNonce, disk, space } = node;
      const disks = [{ disk, state: "ok", ...space, chunks: 0, chunkBytes: 0 }];
      await this.membership.heartbeat({
        node: registration.node,
        credential: registration.credential,
        bootNonce,
        sequence: ++node.sequence,
        disks,
        groups: [],
      });
    }
  }

  #id(prefix) {
    return newId(prefix, this.env.clock.now(), this.env.random.bytes(10));
  }
}
