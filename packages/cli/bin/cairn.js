#!/usr/bin/env node
// The `cairn` command. Plain JavaScript, so that it can say what is missing before anything is built.
import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write("Cairn is not built yet: run `npm start` or `npm run build` first.\n");
  process.exitCode = 1;
}
