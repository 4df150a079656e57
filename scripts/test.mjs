// npm test: types, lint, tidy and all tests; the closing line is "N passed, N failed".
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare, runNode, toolFile } from "./prepare.mjs";
import { installS3Clients } from "./s3-clients.mjs";

prepare();
installS3Clients();
const startedAt = performance.now();
const checks = [
  ["types", toolFile("typescript", "tsc"), ["-b"]],
  ["types of tests", toolFile("typescript", "tsc"), ["-p", "tsconfig.tests.json"]],
  ["lint", toolFile("@biomejs/biome", "biome"), ["ci", "--error-on-warnings", "."]],
];
let passed = 0;
let failed = 0;
for (const [name, file, args] of checks) {
  const ok = runNode(file, args);
  console.log(`${ok ? "passed" : "FAILED"}  ${name}`);
  if (ok) passed++;
  else failed++;
}
const results = await runTests();
passed += results.passed;
failed += results.failed;
console.log(`${Math.round((performance.now() - startedAt) / 1000)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** A test file that cannot be loaded counts as one failure. */
async function runTests() {
  const folder = mkdtempSync(join(tmpdir(), "cairn-test-"));
  const report = join(folder, "report.json");
  try {
    const args = [
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...process.argv.slice(2),
    ];
    const ok = runNode(toolFile("vitest"), args);
    const { numPassedTests, numTotalTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
    const unloadable = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
    const failures = numTotalTests - numPassedTests + unloadable.length;
    return { passed: numPassedTests, failed: failures === 0 && !ok ? 1 : failures };
  } catch (error) {
    console.error(`The test runner left no report: ${error.message}`);
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
