import { expect, test } from "vitest";
import { TransferSpeed } from "./transfer-speed.ts";

test("a steady transfer shows its speed and the time left", () => {
  const speed = new TransferSpeed();
  for (let second = 0; second <= 20; second++) speed.observe(second * 1000, second * 1000);
  expect(speed.bytesPerSecond).toBeCloseTo(1000);
  expect(speed.timeLeftMs(5000)).toBeCloseTo(5000);
});

test("nothing is told before there is something to tell", () => {
  const speed = new TransferSpeed();
  expect(speed.timeLeftMs(1)).toBeUndefined();
  speed.observe(0, 0);
  expect(speed.bytesPerSecond).toBeUndefined();
});

test("a pause slows the average down little by little, and never below nothing", () => {
  const speed = new TransferSpeed(1000);
  speed.observe(0, 0);
  speed.observe(1000, 1000);
  speed.observe(1000, 2000);
  expect(speed.bytesPerSecond).toBeCloseTo(500);
  speed.observe(0, 3000);
  expect(speed.bytesPerSecond).toBeGreaterThanOrEqual(0);
});

test("two observations at the same moment do not divide by nothing", () => {
  const speed = new TransferSpeed();
  speed.observe(0, 5);
  speed.observe(100, 5);
  speed.observe(200, 1005);
  expect(speed.bytesPerSecond).toBeCloseTo(200);
});
