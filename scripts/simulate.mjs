// npm run simulate [-- --seeds N --from S | --seed S --echo | --minutes M | --workers W | --sensitivity [NAME …]];
// docs/simulation.md.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { prepare, root, runNode, toolFile } from "./prepare.mjs";

prepare();
const given = process.argv.slice(2);
if (given.includes("--sensitivity")) {
  const { runSensitivity } = await import("./sensitivity.mjs");
  process.exitCode = (await runSensitivity(given.filter((word) => word !== "--sensitivity"))) ? 0 : 1;
} else {
  if (!runNode(toolFile("typescript", "tsc"), ["-b", join(root, "packages", "simulator")])) process.exit(1);
  const child = spawn(process.execPath, [join(root, "packages", "simulator", "dist", "main.js"), ...given], {
    cwd: root,
    stdio: "inherit",
  });
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}
