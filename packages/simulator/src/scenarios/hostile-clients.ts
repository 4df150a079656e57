import { type CommittedChunk, hashOfChunkId, type Lease } from "@cairn/protocol";
import { type RawChunk, type RawCommit, withReceipts } from "../workload/raw-client.ts";
import type { Scenario } from "./scenario.ts";
import type { Scene } from "./scene.ts";

/** Client programs that skip steps, repeat them or lie. Whatever they are allowed to do must be as safe as what others do. */

interface Sent {
  readonly lease: Lease;
  readonly chunk: RawChunk;
  readonly told: CommittedChunk;
}

async function sent(scene: Scene): Promise<Sent> {
  const chunk = scene.raw.newChunk();
  const lease = await scene.do(scene.raw.open());
  return { lease, chunk, told: await scene.do(scene.raw.send(lease, chunk)) };
}

async function commit(scene: Scene, order: RawCommit): Promise<void> {
  await scene.do(scene.raw.commit(order));
}

/** A file of one chunk is written and removed for good, and its lease stays open. */
async function removed(scene: Scene): Promise<Sent> {
  const it = await sent(scene);
  await commit(scene, { ...it, name: "first" });
  await scene.do(scene.files.remove("first", "remove"));
  return it;
}

/** Keeps the lease open until the database has such a row for the chunk. */
async function heldUntil(scene: Scene, { lease, chunk }: Sent, text: string): Promise<void> {
  let [open, renewedAt] = [true, 0];
  const done = scene.untilRow(text, hashOfChunkId(chunk.id)).finally(() => {
    open = false;
  });
  const { timeline } = scene.world;
  const keep = (): void => {
    if (!open) return;
    if (timeline.now - renewedAt > 20_000) {
      renewedAt = timeline.now;
      scene.raw.renew(lease).catch(() => undefined);
    }
    timeline.after(1000, keep);
  };
  keep();
  await done;
}

const isCondemned = "SELECT 1 AS found FROM chunk WHERE hash = ? AND state = 1";
/** Acknowledged by all members, or forgotten already. */
const isDeleted = `SELECT 1 AS found FROM (SELECT ? AS hash) AS wanted LEFT JOIN condemned ON condemned.hash = wanted.hash
  WHERE condemned.hash IS NULL OR condemned.acked_epoch IS NOT NULL`;

export const hostileClients: readonly Scenario[] = [
  {
    name: "a commit with the receipt of one disk is refused",
    options: { seed: 41 },
    async tell(scene) {
      const { lease, chunk, told } = await sent(scene);
      const short = withReceipts(told, told.written?.receipts.slice(0, 1) ?? []);
      await scene.mustRefuse("one receipt of two", scene.raw.commit({ lease, chunk, told: short, name: "short" }));
    },
  },
  {
    name: "a commit with forged receipts is refused",
    options: { seed: 42 },
    async tell(scene) {
      const { lease, told } = await sent(scene);
      const chunk = scene.raw.newChunk();
      // Those of another chunk, for one that no node has ever seen.
      const forged = { ...told, id: chunk.id };
      await scene.mustRefuse("a forged receipt", scene.raw.commit({ lease, chunk, told: forged, name: "forged" }));
    },
  },
  {
    name: "a chunk that is condemned is not committed as known",
    options: { seed: 43 },
    async tell(scene) {
      const it = await removed(scene);
      await heldUntil(scene, it, isCondemned);
      const { id, length, group } = it.told;
      const known = { id, length, group };
      await scene.mustRefuse("a condemned chunk", scene.raw.commit({ ...it, told: known, name: "known" }));
    },
  },
  {
    name: "a condemned write is not committed a second time",
    options: { seed: 44 },
    async tell(scene) {
      const it = await removed(scene);
      await heldUntil(scene, it, isCondemned);
      await scene.mustRefuse("a condemned write", scene.raw.commit({ ...it, name: "again" }));
    },
  },
  {
    name: "a write that was deleted is not committed again while its lease is open",
    options: { seed: 45 },
    async tell(scene) {
      const it = await removed(scene);
      await heldUntil(scene, it, isCondemned);
      await heldUntil(scene, it, isDeleted);
      await scene.mustRefuse("a deleted write", scene.raw.commit({ ...it, name: "again" }));
    },
  },
  {
    name: "a write that was deleted is not taken again by any node",
    options: { seed: 46 },
    async tell(scene) {
      const it = await removed(scene);
      await heldUntil(scene, it, isCondemned);
      await heldUntil(scene, it, isDeleted);
      const lease = await scene.do(scene.raw.renew(it.lease));
      const group = lease.groups.find(({ id }) => id === it.told.group);
      const { generation } = it.told.written ?? {};
      if (!group || generation === undefined) throw new Error("the group takes writes still");
      const write = { id: it.chunk.id, bytes: it.chunk.bytes, generation, token: group.writeToken };
      for (const member of group.members) {
        await scene.mustRefuse(`a deleted write on ${member.node}`, scene.raw.nodeOf(member).put(write));
      }
    },
  },
  {
    name: "a commit that is repeated gets its first answer, whatever has happened since",
    options: { seed: 47 },
    async tell(scene) {
      const [first, second] = [await sent(scene), await sent(scene)];
      const commit = scene.raw.newCommitId();
      const before = await scene.do(scene.raw.commit({ ...first, name: "file", commit }));
      await scene.do(scene.raw.commit({ ...second, name: "file" }));
      const change = { ...first, name: "file", commit };
      const after = await scene.do(scene.raw.repeat(change));
      scene.must(after.entry.version === before.entry.version, "a repeated commit gets its first answer");
    },
  },
];
