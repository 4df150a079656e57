// npm run faults [-- ROW … --quick --tier N --seed S --list --write]: faults against real processes; docs/faults.md.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { prepare, root, runNode, toolFile } from "./prepare.mjs";

prepare();
if (!runNode(toolFile("typescript", "tsc"), ["-p", join(root, "faults", "tsconfig.json")])) process.exit(1);
const child = spawn(process.execPath, [join(root, "faults", "dist", "main.js"), ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
// Ctrl-C reaches both; the suite undoes what it set up, and this process waits for it.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => signal === "SIGTERM" && child.kill(signal));
child.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal ? 1 : 0);
});
