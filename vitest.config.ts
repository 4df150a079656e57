import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@cairn/source"] },
  ssr: { resolve: { conditions: ["@cairn/source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "scripts/**/*.test.ts", "tests/**/*.test.ts", "faults/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
