// npm run check: types, lint, tidy and the unit tests of the packages, in under a minute.
import { prepare, runNode, toolFile } from "./prepare.mjs";

prepare();
const ok = [
  [toolFile("@biomejs/biome", "biome"), ["ci", "--error-on-warnings", "."]],
  [toolFile("typescript", "tsc"), ["-p", "tsconfig.tests.json"]],
  [toolFile("vitest"), ["run", "packages", "scripts"]],
].every(([file, args]) => runNode(file, args));
process.exitCode = ok ? 0 : 1;
