// Brings a clone to the point where its programs can run: installs and builds what is missing or out of date.
// Plain JavaScript on Node alone, because it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const installStamp = join(root, "node_modules", ".cairn-installed");
const buildStamp = join(root, "node_modules", ".cairn-built");
const nodeVersionMin = [20, 19];

/** Runs a program of this clone with Node; its output goes to the terminal. Answers true when it succeeded. */
export function runNode(file, args = [], options = {}) {
  const { status, error } = spawnSync(process.execPath, [file, ...args], { cwd: root, stdio: "inherit", ...options });
  if (error) throw error;
  return status === 0;
}

/** The JavaScript file behind a tool that is installed in node_modules. */
export function toolFile(packageName, bin = packageName) {
  const folder = join(root, "node_modules", packageName);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof manifest.bin === "string" ? manifest.bin : manifest.bin[bin]);
}

/** Installs and builds if needed; says what it does on stderr. Ends the process with a clear line when it cannot. */
export function prepare() {
  prepareTools();
  build();
}

/** Installs if needed. */
export function prepareTools() {
  checkNodeVersion();
  install();
}

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > nodeVersionMin[0] || (major === nodeVersionMin[0] && minor >= nodeVersionMin[1])) return;
  fail(`Cairn needs Node ${nodeVersionMin.join(".")} or newer; this is ${process.versions.node}.`);
}

function install() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(installStamp) && readFileSync(installStamp, "utf8") === wanted) return;
  console.error("Installing packages (npm ci) …");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund"];
  const result =
    npm !== undefined && /\.c?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ["ignore", 2, 2] })
      : spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2], shell: process.platform === "win32" });
  if (result.status !== 0) fail("npm ci failed; its messages stand above.");
  writeFileSync(installStamp, wanted);
}

function build() {
  const newest = newestChange();
  if (existsSync(buildStamp) && readFileSync(buildStamp, "utf8") === newest) return;
  console.error("Building …");
  if (!runNode(toolFile("typescript", "tsc"), ["-b"], { stdio: ["ignore", 2, 2] }))
    fail("The build failed; see above.");
  mkdirSync(dirname(buildStamp), { recursive: true });
  writeFileSync(buildStamp, newest);
}

/** Changes when a source, a package.json or a tsconfig does, and when a build is missing. */
function newestChange() {
  const hash = createHash("sha256");
  for (const name of readdirSync(join(root, "packages")).sort()) {
    const folder = join(root, "packages", name);
    if (!existsSync(join(folder, "package.json"))) continue;
    hash.update(String(existsSync(join(folder, "dist", "index.js"))));
    for (const file of ["package.json", "tsconfig.json", ...filesBelow(folder, "src")]) {
      const { size, mtimeMs } = statSync(join(folder, file));
      hash.update(`${name}/${file} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}

function filesBelow(base, folder) {
  return readdirSync(join(base, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(base, path) : [path];
  });
}

function fail(line) {
  console.error(line);
  process.exit(1);
}
