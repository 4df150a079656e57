import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Who may import whom; the same table stands in ARCHITECTURE.md. */
const importTable: Record<string, readonly string[]> = {
  protocol: [],
  env: ["protocol"],
  drive: ["env", "protocol"],
  metadata: ["env", "protocol"],
  "storage-node": ["env", "protocol"],
  remote: ["env", "protocol"],
  "env-node": ["env", "protocol"],
  gateway: ["drive", "env", "protocol"],
  client: ["drive", "env", "env-node", "protocol", "remote"],
  server: ["drive", "env", "env-node", "gateway", "metadata", "protocol", "remote", "storage-node"],
  cli: ["client", "fsck", "protocol", "server"],
  fsck: [],
  simulator: ["client", "drive", "env", "env-node", "gateway", "metadata", "protocol", "remote", "storage-node"],
};
/** No Node, no browser, no clock, no chance: the code that ships is the code that is simulated. */
const purePackages = ["protocol", "env", "drive", "metadata", "storage-node", "remote"];

const packages = readdirSync(join(root, "packages")).filter((name) =>
  existsSync(join(root, "packages", name, "package.json")),
);
const tracked = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\0")
  .filter((file) => file !== "" && existsSync(join(root, file)));
const sources = tracked.filter((file) => /^packages\/[^/]+\/src\/.*\.ts$/.test(file));
const products = sources.filter(
  (file) => !file.endsWith(".test.ts") && !file.includes("/testing/") && !file.includes("/suites/"),
);

function readJson(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(root, file), "utf8")) as Record<string, unknown>;
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function importsOf(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
}

describe("the import table", () => {
  test("names every package", () => {
    expect(packages.sort()).toEqual(Object.keys(importTable).sort());
  });

  test.each(packages)("%s declares and references exactly what the table allows", (name) => {
    const manifest = readJson(`packages/${name}/package.json`);
    const declared = Object.keys((manifest["dependencies"] ?? {}) as object)
      .filter((dependency) => dependency.startsWith("@cairn/"))
      .map((dependency) => dependency.slice("@cairn/".length));
    const references = (readJson(`packages/${name}/tsconfig.json`)["references"] ?? []) as { path: string }[];
    expect(declared.sort()).toEqual(importTable[name]);
    expect(references.map(({ path }) => path.replace("../", "")).sort()).toEqual(importTable[name]);
  });

  test("no product file imports a package that its own does not declare, and none reaches inside another", () => {
    const wrong = products.flatMap((file) => {
      const owner = file.split("/")[1] ?? "";
      return importsOf(file)
        .filter((target) => target.startsWith("@cairn/"))
        .map((target) => target.slice("@cairn/".length))
        .filter((target) => !importTable[owner]?.includes(target))
        .map((target) => `${file} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test("is the one that ARCHITECTURE.md shows", () => {
    const shown = Object.fromEntries(
      [...read("ARCHITECTURE.md").matchAll(/^\| `([a-z-]+)` \|([^|]*)\|/gm)].map((match) => [
        match[1] ?? "",
        [...(match[2] ?? "").matchAll(/`([a-z-]+)`/g)].map((name) => name[1] ?? "").sort(),
      ]),
    );
    expect(shown).toEqual(importTable);
  });
});

describe("pure packages", () => {
  test.each(purePackages)("%s sees no types of Node or the browser", (name) => {
    expect(readJson(`packages/${name}/tsconfig.json`)["extends"]).toBe("../../tsconfig/pure.json");
  });

  test("use no third-party package", () => {
    const foreign = purePackages.flatMap((name) =>
      Object.keys((readJson(`packages/${name}/package.json`)["dependencies"] ?? {}) as object).filter(
        (it) => !it.startsWith("@cairn/"),
      ),
    );
    expect(foreign).toEqual([]);
  });

  test("reach for no module of Node", () => {
    const pure = products.filter((file) => purePackages.includes(file.split("/")[1] ?? ""));
    expect(pure.filter((file) => importsOf(file).some((target) => target.startsWith("node:")))).toEqual([]);
  });
});

describe("the tree", () => {
  test("has no source file that nobody imports", () => {
    const imported = new Set(
      sources.flatMap((file) =>
        importsOf(file)
          .filter((target) => target.startsWith("."))
          .map((target) => relative(root, resolve(root, dirname(file), target))),
      ),
    );
    const started =
      read("packages/server/src/index.ts") +
      tracked
        .filter((file) => file.endsWith(".js"))
        .map(read)
        .join("");
    const orphans = products.filter((file) => {
      const name = file.split("/").pop() ?? "";
      const runs = /(^|\/)(index|main)\.ts$/.test(file) || started.includes(name.replace(".ts", ".js"));
      return !imported.has(file) && !runs && !tracked.some((other) => other !== file && spawns(other, name));
    });
    expect(orphans).toEqual([]);
  });

  test("has no marks of unfinished work", () => {
    const mark = new RegExp(
      `\\b(${["TO", "DO"].join("")}|${["FIX", "ME"].join("")}|${["XX", "X"].join("")}|${["HA", "CK"].join("")})\\b`,
    );
    const skip = new RegExp(`\\.(${["sk", "ip"].join("")}|${["on", "ly"].join("")}|${["to", "do"].join("")})\\(`);
    const marked = tracked
      .filter((file) => /\.(ts|mjs|js)$/.test(file))
      .filter((file) =>
        read(file)
          .split("\n")
          .some((line) => mark.test(line) || skip.test(line)),
      );
    expect(marked).toEqual([]);
  });

  test("has no file over one MiB and no path of one machine", () => {
    expect(tracked.filter((file) => statSync(join(root, file)).size > 1024 * 1024)).toEqual([]);
    const place = new RegExp(`(^|[^A-Za-z0-9_.])/(${["wo", "rk"].join("")}|${["ro", "ot"].join("")})/`, "m");
    const text = tracked.filter((file) => /\.(ts|mjs|js|md|json|svg|yml)$/.test(file) && file !== "package-lock.json");
    expect(text.filter((file) => place.test(read(file)))).toEqual([]);
  });

  test("every byte format has its document, and the document is named by the module that reads it", () => {
    const documents = tracked.filter((file) => /^docs\/formats\/.*\.md$/.test(file));
    const code = products.map(read).join("\n");
    expect(documents.length).toBeGreaterThan(0);
    expect(documents.filter((file) => !code.includes(file))).toEqual([]);
  });

  test("every document that code names is there", () => {
    const named = products.flatMap((file) => [...read(file).matchAll(/docs\/[a-z/-]+\.md/g)].map((match) => match[0]));
    expect([...new Set(named)].filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test("every link between documents leads somewhere", () => {
    const broken = tracked
      .filter((file) => file.endsWith(".md"))
      .flatMap((file) =>
        [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
          .map((match) => join(dirname(file), match[1] ?? ""))
          .filter((target) => !existsSync(join(root, target)))
          .map((target) => `${file} → ${target}`),
      );
    expect(broken).toEqual([]);
  });

  test("the glossary defines each word once", () => {
    const words = [...read("docs/glossary.md").matchAll(/^\*\*([^*]+)\*\*/gm)].map((match) => match[1]);
    expect(words.length).toBeGreaterThan(15);
    expect(new Set(words).size).toBe(words.length);
  });
});

/** True when a file starts another one as a process or loads it by URL. */
function spawns(file: string, name: string): boolean {
  return /\.(ts|mjs|js)$/.test(file) && read(file).includes(`/${name.replace(".ts", ".js")}"`);
}
