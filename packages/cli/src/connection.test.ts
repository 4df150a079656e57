import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ConnectionFlags, resolveConnection, resolveDataFolder } from "./connection.ts";

let home = "";

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "cairn-connection-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

function resolveWith(flags: ConnectionFlags, env: Record<string, string> = {}) {
  return resolveConnection(flags, { env, home, cwd: home });
}

async function writeProfiles(profiles: object, defaultName = "local"): Promise<void> {
  await mkdir(join(home, ".config", "cairn"), { recursive: true });
  await writeFile(join(home, ".config", "cairn", "profiles.json"), JSON.stringify({ default: defaultName, profiles }));
}

async function writeClient(folder: string, client: object): Promise<string> {
  const path = join(home, folder);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "client.json"), JSON.stringify(client));
  return path;
}

test("the default profile names the cluster", async () => {
  await writeProfiles({ local: { url: "http://127.0.0.1:7070", token: "secret" } });
  expect(await resolveWith({})).toEqual({ url: "http://127.0.0.1:7070", token: "secret", profile: "local" });
});

test("flags win over the environment, which wins over the profile", async () => {
  await writeProfiles({ local: { url: "http://profile:1" }, other: { url: "http://other:1" } });
  const data = await writeClient("data", { url: "http://data:1", token: "d" });
  expect((await resolveWith({})).url).toBe("http://profile:1");
  expect((await resolveWith({}, { CAIRN_PROFILE: "other" })).url).toBe("http://other:1");
  expect((await resolveWith({}, { CAIRN_PROFILE: "other", CAIRN_DATA: data })).url).toBe("http://data:1");
  const env = { CAIRN_PROFILE: "other", CAIRN_DATA: data, CAIRN_URL: "http://env:1" };
  expect((await resolveWith({}, env)).url).toBe("http://env:1");
  expect((await resolveWith({ profile: "other" }, env)).url).toBe("http://other:1");
  expect((await resolveWith({ data: "data" }, env)).url).toBe("http://data:1");
  expect((await resolveWith({ url: "http://flag:1/" }, env)).url).toBe("http://flag:1");
});

test("without a profile the default data folder is tried", async () => {
  await writeClient(join(".local", "share", "cairn"), { url: "http://share:1", token: "s" });
  expect(await resolveWith({})).toMatchObject({ url: "http://share:1", token: "s" });
});

test("nothing that names a cluster is wrong usage with a hint", async () => {
  await expect(resolveWith({})).rejects.toMatchObject({ exitCode: 2, hint: expect.stringContaining("cairn start") });
});

describe("a token", () => {
  test("of a data folder or profile is not sent to another URL", async () => {
    await writeProfiles({ local: { url: "http://profile:1", token: "secret" } });
    const data = await writeClient("data", { url: "http://data:1", token: "d" });
    expect((await resolveWith({ url: "http://elsewhere:1" }, { CAIRN_DATA: data })).token).toBeUndefined();
  });

  test("goes with a URL that is the one it belongs to", async () => {
    await writeProfiles({ local: { url: "http://profile:1", token: "secret" } });
    expect((await resolveWith({ url: "http://profile:1/" })).token).toBe("secret");
  });

  test("in a file wins over CAIRN_TOKEN, which wins over CAIRN_TOKEN_FILE and the profile", async () => {
    await writeProfiles({ local: { url: "http://profile:1", token: "secret" } });
    await writeFile(join(home, "flag"), "from-flag\n");
    await writeFile(join(home, "file"), "from-file\n");
    const env = { CAIRN_TOKEN: "from-env", CAIRN_TOKEN_FILE: "file" };
    expect((await resolveWith({ tokenFile: "flag" }, env)).token).toBe("from-flag");
    expect((await resolveWith({}, env)).token).toBe("from-env");
    expect((await resolveWith({}, { CAIRN_TOKEN_FILE: "file" })).token).toBe("from-file");
  });

  test.each(["", "two words"])("file that holds %j is refused", async (content) => {
    await writeFile(join(home, "token"), content);
    await expect(resolveWith({ url: "http://a:1", tokenFile: "token" })).rejects.toMatchObject({ exitCode: 2 });
  });

  test("file that is missing is told by its name", async () => {
    await expect(resolveWith({ url: "http://a:1", tokenFile: "token" })).rejects.toThrow(/token/);
  });
});

describe("wrong settings", () => {
  test.each(["127.0.0.1:7070", "ftp://host", "nonsense"])("%s is no URL of a cluster", async (url) => {
    await expect(resolveWith({ url })).rejects.toMatchObject({ exitCode: 2 });
  });

  test("a profile that does not exist is refused, also when there are none at all", async () => {
    await expect(resolveWith({ profile: "nope" })).rejects.toThrow("no profile named nope");
    await writeProfiles({ local: { url: "http://profile:1" } });
    await expect(resolveWith({}, { CAIRN_PROFILE: "nope" })).rejects.toThrow("no profile named nope");
  });

  test("a broken file is named", async () => {
    await mkdir(join(home, ".config", "cairn"), { recursive: true });
    await writeFile(join(home, ".config", "cairn", "profiles.json"), "{");
    await expect(resolveWith({})).rejects.toThrow("profiles.json is not valid JSON");
  });

  test("a data folder in which no cluster has run is told", async () => {
    await expect(resolveWith({ data: "empty" })).rejects.toMatchObject({ exitCode: 2 });
  });
});

test("empty variables count as absent", async () => {
  await writeProfiles({ local: { url: "http://profile:1", token: "secret" } });
  const env = { CAIRN_URL: "", CAIRN_TOKEN: "", CAIRN_DATA: "", CAIRN_PROFILE: "" };
  expect(await resolveWith({}, env)).toMatchObject({ url: "http://profile:1", token: "secret" });
});

test("local commands take the data folder of --data, CAIRN_DATA, the profile, or the default", async () => {
  const where = { env: {}, home, cwd: home };
  expect(await resolveDataFolder({}, where)).toBe(join(home, ".local", "share", "cairn"));
  await writeProfiles({ local: { url: "http://profile:1", data: "/srv/cairn" } });
  expect(await resolveDataFolder({}, where)).toBe("/srv/cairn");
  expect(await resolveDataFolder({}, { ...where, env: { CAIRN_DATA: "here" } })).toBe(join(home, "here"));
  expect(await resolveDataFolder({ data: "there" }, { ...where, env: { CAIRN_DATA: "here" } })).toBe(
    join(home, "there"),
  );
});
