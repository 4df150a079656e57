import { expect, test } from "vitest";
import { crashPointFromEnvironment } from "./crash-point.ts";
import { ChildProgram } from "./testing/child-program.ts";

/** What a program that passes some crash points has told before its end, and how it ended. */
async function run(armed: string): Promise<string[]> {
  const source = `
    import { writeSync } from "node:fs";
    import { crashPointFromEnvironment } from "@cairn/env-node";
    const crashPoint = crashPointFromEnvironment(process.env);
    process.on("exit", () => writeSync(1, "exit handler\\n"));
    for (const name of ["first", "second", "third", "second", "second"]) {
      crashPoint(name);
      writeSync(1, name + "\\n");
    }
  `;
  await using child = new ChildProgram(source, { environment: { CAIRN_CRASH_AT: armed } });
  const end = await child.end();
  return [...child.lines, end];
}

test("an armed crash point kills the process on the spot, at the name or its n-th time", async () => {
  expect(await Promise.all([run("second"), run("second:3")])).toEqual([
    ["first", "SIGKILL"],
    ["first", "second", "third", "second", "SIGKILL"],
  ]);
});

test("a crash point that is reached too seldom, or is not the armed one, does nothing", async () => {
  expect(await run("second:4")).toEqual(["first", "second", "third", "second", "second", "exit handler", "0"]);
  for (const environment of [{}, { CAIRN_CRASH_AT: "" }, { CAIRN_CRASH_AT: "other" }]) {
    expect(() => crashPointFromEnvironment(environment)("here")).not.toThrow();
  }
});
