import { type ChunkRead, type ChunkService, StorageError } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { beforeEach, expect, test } from "vitest";
import { MemoryNode, refused } from "../../../drive/src/testing/memory-node.ts";
import { relayedChunks } from "./relayed-chunk-service.ts";

const read = { id: "00", group: 1, token: "read 1" } as unknown as ChunkRead;
let clock: VirtualClock;
let direct: MemoryNode;
let relay: MemoryNode;
let service: ChunkService;

beforeEach(() => {
  clock = new VirtualClock();
  [direct, relay] = [new MemoryNode(1), new MemoryNode(1)];
  for (const node of [direct, relay]) node.chunks.set("1 00", new Uint8Array([7]));
  service = relayedChunks({ clock, direct, relay: () => relay });
});

test("a node that can be reached is asked straight", async () => {
  expect(await service.get(read)).toEqual(new Uint8Array([7]));
  expect([direct.gets, relay.gets]).toEqual([1, 0]);
});

test("one that cannot is asked through the gateway, which is remembered for five minutes", async () => {
  direct.fault = () => Promise.reject(refused("node-1"));
  await service.get(read);
  await service.get(read);
  expect([direct.gets, relay.gets]).toEqual([1, 2]);
  await clock.advance(300_001);
  direct.fault = () => undefined;
  await service.get(read);
  expect([direct.gets, relay.gets]).toEqual([2, 2]);
});

test("a node that is gone altogether is not remembered as one behind a relay", async () => {
  direct.fault = () => Promise.reject(refused("node-1"));
  relay.fault = () => Promise.reject(new StorageError("unavailable", "relay", "node-1"));
  await expect(service.get(read)).rejects.toMatchObject({ kind: "unavailable" });
  direct.fault = () => undefined;
  expect(await service.get(read)).toEqual(new Uint8Array([7]));
});

test("a gateway that has no time for a node is a node out of reach, not one that is overloaded", async () => {
  direct.fault = () => Promise.reject(refused("node-1"));
  await service.get(read);
  relay.fault = () => Promise.reject(new StorageError("overloaded", "relay", "the peer answered 503"));
  for (let round = 0; round < 2; round++) {
    await expect(service.get(read)).rejects.toMatchObject({ kind: "unavailable", details: { unreachable: true } });
  }
});

test("a node that answers with a failure of its own is not asked by another way", async () => {
  direct.fault = () => Promise.reject(new StorageError("not-found", "get chunk", "00"));
  await expect(service.get(read)).rejects.toMatchObject({ kind: "not-found" });
  direct.fault = () => Promise.reject(new StorageError("unavailable", "get chunk", "no answer within 10000 ms"));
  await expect(service.get(read)).rejects.toMatchObject({ kind: "unavailable" });
  expect(relay.gets).toBe(0);
});
