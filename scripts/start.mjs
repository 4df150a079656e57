// npm start: installs and builds what is missing, then runs `cairn start` in this process.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./prepare.mjs";

prepare();
process.argv.splice(2, 0, "start");
await import(pathToFileURL(join(root, "packages", "cli", "bin", "cairn.js")).href);
