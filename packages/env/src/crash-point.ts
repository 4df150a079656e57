/** Named places at which a test may end the process as a power cut would. A no-op unless the environment arms it. */
export type CrashPoint = (name: string) => void;
