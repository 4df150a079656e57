import type { DataPathService, EntryId, Outcome, PlanRequest, ReadPlan } from "@cairn/protocol";
import { StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { PlanBatcher } from "./plan-batcher.ts";

/** Plans that name what was asked for; the file `missing` is not there. */
function planning(): { service: DataPathService; sizes: number[] } {
  const sizes: number[] = [];
  const planOne = (id: string): ReadPlan => {
    if (id === "missing") throw new StorageError("not-found", "read file", id);
    return { entry: { id } } as unknown as ReadPlan;
  };
  const service = {
    planRead: async (address: { id: string }) => {
      sizes.push(1);
      return planOne(address.id);
    },
    planReads: async (requests: readonly PlanRequest[]) => {
      sizes.push(requests.length);
      return requests.map(({ address }): Outcome<ReadPlan> => {
        try {
          return { ok: true, value: planOne((address as { id: string }).id) };
        } catch (error) {
          return { ok: false, error: error as StorageError };
        }
      });
    },
  };
  return { service: service as unknown as DataPathService, sizes };
}

function request(id: string): PlanRequest {
  return { address: { id: id as EntryId }, offset: 0 };
}

test("reads that begin together are planned in one call, and each gets its own plan", async () => {
  const { service, sizes } = planning();
  const batcher = new PlanBatcher(service);
  const plans = await Promise.all(["a", "b", "c"].map((id) => batcher.plan(request(id), undefined)));
  expect(plans.map(({ entry }) => entry.id)).toEqual(["a", "b", "c"]);
  expect(sizes).toEqual([3]);
});

test("a file that is not there spoils no other plan, and a lonely read goes by itself", async () => {
  const { service, sizes } = planning();
  const batcher = new PlanBatcher(service);
  const outcomes = await Promise.allSettled(["a", "missing"].map((id) => batcher.plan(request(id), undefined)));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  await expect(batcher.plan(request("missing"), undefined)).rejects.toMatchObject({ kind: "not-found" });
  expect(sizes).toEqual([2, 1]);
});

test("no call has more than its limit", async () => {
  const { service, sizes } = planning();
  const batcher = new PlanBatcher(service);
  await Promise.all(Array.from({ length: 100 }, (_, index) => batcher.plan(request(`f${index}`), undefined)));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(32);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(100);
});
