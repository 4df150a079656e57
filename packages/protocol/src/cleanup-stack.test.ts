import { expect, test } from "vitest";
import { CleanupStack } from "./cleanup-stack.ts";

const resource = (name: string, log: string[], error?: Error): AsyncDisposable => ({
  async [Symbol.asyncDispose]() {
    log.push(name);
    if (error) throw error;
  },
});

test("what was taken last is disposed of first, once, and all of it even when some fail", async () => {
  const log: string[] = [];
  const stack = new CleanupStack();
  stack.use(resource("a", log));
  stack.use(resource("b", log, new Error("b")));
  stack.use(resource("c", log, new Error("c")));
  await expect(stack[Symbol.asyncDispose]()).rejects.toThrow("c");
  expect(log).toEqual(["c", "b", "a"]);
  await stack[Symbol.asyncDispose]();
  expect(log).toHaveLength(3);
});

test("what was moved out is disposed of by its new owner only", async () => {
  const log: string[] = [];
  let moved: CleanupStack | undefined;
  {
    await using stack = new CleanupStack();
    stack.use(resource("a", log));
    moved = stack.move();
  }
  expect(log).toEqual([]);
  await moved[Symbol.asyncDispose]();
  expect(log).toEqual(["a"]);
});
