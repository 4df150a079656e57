import { setTimeout as wait } from "node:timers/promises";
import { describeClock } from "../../simulator/src/suites/clock-suite.ts";
import { NodeClock } from "./clock.ts";

describeClock("the machine's clock", () => ({
  clock: new NodeClock(),
  // Timers ring in the order of their time, so all that is due has rung when a longer wait ends.
  pass: (ms) => wait(ms + 3),
}));
