// Makes docs/pictures: runs the commands on a real local cluster and draws what they print. Node alone.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { prepare, root } from "./prepare.mjs";
import { renderTerminalPicture, themes, typed } from "./terminal-picture.mjs";

const pictures = join(root, "docs", "pictures");
const cairn = join(root, "packages", "cli", "bin", "cairn.js");

prepare();
const home = mkdtempSync(join(tmpdir(), "cairn-pictures-"));
const folder = join(home, "files");
const inherited = Object.entries(process.env).filter(([name]) => !/^(CAIRN_|XDG_|NO_COLOR)/.test(name));
const env = { ...Object.fromEntries(inherited), HOME: home, USERPROFILE: home, CLICOLOR_FORCE: "1" };
try {
  makeFiles();
  const cluster = await startCluster();
  try {
    await drawAll(cluster);
  } finally {
    cluster.process.kill("SIGTERM");
    await cluster.ended;
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}

async function drawAll({ url, output }) {
  const shown = (text) => text.replaceAll(url, "http://127.0.0.1:7070");
  const scene = async (name, title, commands) => {
    const lines = [];
    for (const command of commands) {
      if (lines.length > 0) lines.push("");
      lines.push(
        typed(`npx cairn ${command.join(" ")}`),
        ...shown(await run(command))
          .trimEnd()
          .split("\n"),
      );
    }
    draw(name, title, lines);
  };
  draw("start", "npm start", [typed("npm start"), ...shown(output).trimEnd().split("\n")]);
  await scene("upload", "cairn upload", [
    ["upload", "./holiday.mp4"],
    ["upload", "./photos", "--to", "/Archive"],
  ]);
  await scene("status", "cairn status", [["status"]]);
  await scene("list", "cairn list", [["list"], ["list", "/Archive/photos"]]);
  await scene("map", "cairn file map", [["file", "map", "/holiday.mp4"]]);
  await scene("delete", "cairn delete", [
    ["delete", "/holiday.mp4"],
    ["trash", "list"],
    ["restore", "/holiday.mp4"],
  ]);
  await scene("download", "cairn download", [
    ["local", "kill", "node-2"],
    ["download", "/holiday.mp4", "--output", "./copy.mp4"],
    ["download", "/Archive/photos", "--output", "./photos-copy"],
  ]);
  await seesStatus(/node-2 \S*(?:suspect|down)/);
  await scene("degraded", "a node is down", [["status"]]);
  await seesStatus(/runs {4}nothing/);
  await scene("healed", "the cluster has healed itself", [
    ["status"],
    ["events", "--limit", "4"],
    ["local", "revive", "node-2"],
  ]);
}

function draw(name, title, lines) {
  mkdirSync(pictures, { recursive: true });
  for (const theme of Object.keys(themes)) {
    const file = join(pictures, `${name}-${theme}.svg`);
    writeFileSync(
      file,
      renderTerminalPicture({ title, lines: lines.map((line) => line.replaceAll(home, "~")), theme }),
    );
    console.log(`docs/pictures/${name}-${theme}.svg`);
  }
}

/** Both streams as a terminal would mix them. */
async function run(args) {
  const file = join(home, "output");
  const output = openSync(file, "w");
  const child = spawn(process.execPath, [cairn, ...args], { cwd: folder, env, stdio: ["ignore", output, output] });
  const exitCode = await new Promise((resolve) => child.once("exit", resolve));
  closeSync(output);
  const text = readFileSync(file, "utf8");
  if (exitCode !== 0) throw new Error(`cairn ${args.join(" ")} ended with ${exitCode}: ${text}`);
  return text;
}

async function startCluster() {
  const child = spawn(process.execPath, [cairn, "start", "--port", "0", "--repair-delay", "25s"], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let output = "";
  child.stdout.on("data", (piece) => {
    output += piece;
  });
  for (let tries = 0; !/cairn status\n/.test(output); tries++) {
    if (tries > 600 || child.exitCode !== null) throw new Error(`the cluster did not start: ${output}`);
    await pause(100);
  }
  const { url } = JSON.parse(readFileSync(join(home, ".local", "share", "cairn", "client.json"), "utf8"));
  return { process: child, ended, url, output };
}

/** A silent node is suspect after ten seconds, and what it held is copied a while later. */
async function seesStatus(wanted) {
  for (let tries = 0; !wanted.test(await run(["status", "--no-color"])); tries++) {
    if (tries > 120) throw new Error(`status never said ${wanted}`);
    await pause(1000);
  }
}

/** The same content at every run. */
function makeFiles() {
  mkdirSync(join(folder, "photos", "2026"), { recursive: true });
  writeFileSync(join(folder, "holiday.mp4"), bytesOf("holiday", 12 * 1024 * 1024 + 345_678));
  for (const [name, size] of [
    ["beach.jpg", 2_345_678],
    ["mountain.jpg", 3_456_789],
    ["notes.txt", 1234],
    ["2026/harbour.jpg", 1_987_654],
  ]) {
    writeFileSync(join(folder, "photos", name), bytesOf(name, size));
  }
}

function bytesOf(seed, length) {
  const blocks = Array.from({ length: Math.ceil(length / 65_536) }, (_, index) => {
    const hash = createHash("sha512").update(`${seed} ${index}`).digest();
    return Buffer.alloc(65_536, hash);
  });
  return Buffer.concat(blocks).subarray(0, length);
}
