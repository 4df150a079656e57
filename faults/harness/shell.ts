import { execFile, spawnSync } from "node:child_process";

/** Runs a program to its end and gives its output. Throws what it said when it failed. */
export function run(program: string, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${args.join(" ")}: ${(stderr || stdout || error.message).trim()}`));
      else resolve(stdout);
    });
  });
}

/** The same without waiting for others, for the very end of a process. True when it succeeded. */
export function runNow(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** True when a program of this name can be started. */
export function hasProgram(name: string): boolean {
  return runNow("sh", "-c", `command -v ${name}`);
}
