export { VirtualClock } from "./clock/virtual-clock.ts";
export { SeededRandom } from "./random/seeded-random.ts";
