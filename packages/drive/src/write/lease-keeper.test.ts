import type { DriveId } from "@cairn/protocol";
import { generationsPerLease, leaseOfGeneration, limits, StorageError } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { beforeEach, expect, test } from "vitest";
import { kindOf } from "../testing/memory-metadata.ts";
import { TestDrive } from "../testing/test-drive.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

let clock: VirtualClock;
let drive: TestDrive;
let keeper: LeaseKeeper;

beforeEach(() => {
  clock = new VirtualClock();
  drive = new TestDrive({ clock });
  keeper = new LeaseKeeper(drive.env, drive.metadata, { drive: "dr_1" as DriveId, holder: "test" });
});

test("one lease is opened at the first need, shared, renewed, and closed at the end", async () => {
  expect(drive.metadata.leasesOpened).toEqual([]);
  const [one, other] = await Promise.all([keeper.acquire(), keeper.acquire()]);
  expect(one).toBe(other);
  await clock.advance(3 * limits.leaseRenewMs + 1);
  expect(drive.metadata.calls.get("renewLease")).toBe(3);
  await keeper[Symbol.asyncDispose]();
  expect(drive.metadata.openLeases.size).toBe(0);
  expect(await kindOf(keeper.acquire())).toBe("cancelled");
});

test("generations of a lease never repeat", async () => {
  const lease = await keeper.acquire();
  const drawn = Array.from({ length: 1000 }, () => lease.nextGeneration());
  expect(new Set(drawn).size).toBe(1000);
  expect(drawn.every((generation) => leaseOfGeneration(generation) === lease.id)).toBe(true);
  expect(Math.max(...drawn) % generationsPerLease).toBe(999);
});

test("new work moves to a new lease after ten minutes, and the old one stays open until its work is done", async () => {
  const old = await keeper.acquire();
  await clock.advance(limits.leaseRotateMs + 1);
  const fresh = await keeper.acquire();
  expect(fresh.id).not.toBe(old.id);
  expect(drive.metadata.openLeases.has(old.id)).toBe(true);
  const renewals = drive.metadata.calls.get("renewLease") ?? 0;
  await clock.advance(limits.leaseRenewMs + 1);
  expect(drive.metadata.calls.get("renewLease")).toBe(renewals + 2);
  old.release();
  await clock.advance(1);
  expect([...drive.metadata.openLeases]).toEqual([fresh.id]);
});

test("a lease that nobody needs is closed after a minute, and the next work opens another", async () => {
  const lease = await keeper.acquire();
  lease.release();
  await clock.advance(limits.leaseTtlMs + limits.leaseRenewMs + 1);
  expect(drive.metadata.openLeases.size).toBe(0);
  expect((await keeper.acquire()).id).not.toBe(lease.id);
});

test("a lease that the server has closed is not used for new work", async () => {
  const lease = await keeper.acquire();
  drive.metadata.openLeases.clear();
  await clock.advance(limits.leaseRenewMs + 1);
  expect((await keeper.acquire()).id).not.toBe(lease.id);
});

test("while the server is away an old lease still serves, and renewal goes on as soon as it is back", async () => {
  const lease = await keeper.acquire();
  drive.metadata.before = () => {
    throw new StorageError("unavailable", "request", "the server is away");
  };
  await clock.advance(limits.leaseRotateMs + 1);
  const acquired = keeper.acquire();
  await clock.advance(10_000);
  expect((await acquired).id).toBe(lease.id);
  drive.metadata.before = () => undefined;
  const renewals = drive.metadata.calls.get("renewLease") ?? 0;
  await clock.advance(2001);
  expect(drive.metadata.calls.get("renewLease")).toBeGreaterThan(renewals);
});
