import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CairnClient } from "@cairn/client";
import { expect, test } from "vitest";
import { digestOf, MiB, readAll, seededBytes } from "../support/content.ts";
import { CairnProcess, temporaryFolder } from "../support/processes.ts";

/** Addresses of machines that are all this one; beyond Linux only 127.0.0.1 answers without being set up. */
const hosts =
  process.platform === "linux" ? ["127.0.0.2", "127.0.0.3", "127.0.0.4"] : ["127.0.0.1", "127.0.0.1", "127.0.0.1"];

test("nodes and a gateway on other machines join with a token and work like the local ones", {
  timeout: 60_000,
}, async () => {
  using folder = temporaryFolder();
  const place = (name: string): string[] => ["--data", join(folder.path, name)];
  const config = { XDG_CONFIG_HOME: join(folder.path, "config") };
  await using metadata = new CairnProcess(["server", "metadata", ...place("metadata"), "--port", "0"], config);
  await metadata.ready();
  const profile = JSON.parse(readFileSync(join(folder.path, "metadata", "client.json"), "utf8")) as {
    url: string;
    token: string;
  };
  const first = new CairnClient(profile);
  const { secret } = await first.createJoinToken({ expiresInMs: 600_000 });
  const joining = ["--metadata", profile.url, "--join", secret];

  await using stranger = new CairnProcess([
    "server",
    "node",
    ...place("stranger"),
    "--metadata",
    profile.url,
    "--join",
    "join_wrong",
  ]);
  expect(await stranger.ended()).not.toBe(0);
  expect(stranger.output).toMatch(/join token/);

  const nodes = hosts.map(
    (host, index) => new CairnProcess(["server", "node", ...place(`machine-${index}`), "--host", host, ...joining]),
  );
  const gateway = new CairnProcess(["server", "gateway", ...place("gateway"), "--port", "0", ...joining]);
  try {
    for (const part of [...nodes, gateway]) await part.ready();
    const bytes = seededBytes("three machines", 10 * MiB + 3);
    const { entry } = await first.upload({ bytes }, { name: "from-afar.bin" });
    await nodes[1]?.signal("SIGKILL");
    const other = new CairnClient({ url: /http:\S+/.exec(gateway.output)?.[0] ?? "", token: profile.token });
    expect(digestOf(await readAll(other, entry.id))).toBe(digestOf(bytes));
    await other.upload({ bytes: seededBytes("more", 3 * MiB) }, { name: "more.bin" });
    expect((await first.list("/")).items.map(({ name }) => name)).toEqual(["from-afar.bin", "more.bin"]);
    expect(new Set((await first.nodes()).map(({ url }) => new URL(url).hostname))).toEqual(new Set(hosts));
    // Operators may ask any gateway.
    expect((await other.operations.health()).claims.map(({ name }) => name)).toContain("redundancy");
    await other.operations.changeSettings({ "repair.paused": 1 });
    expect((await first.operations.events({ after: -1 })).at(-1)).toMatchObject({ subject: "repair.paused" });
    await other[Symbol.asyncDispose]();
  } finally {
    await first[Symbol.asyncDispose]();
    for (const part of [gateway, ...nodes]) await part[Symbol.asyncDispose]();
  }
});
