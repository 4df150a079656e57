import type { Hasher } from "@cairn/env";
import type { GroupId } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { cluster, group, hasher, kindOf, tokenKey, tokenOf } from "./testing/node-fixture.ts";
import { TokenGate } from "./token-gate.ts";

test("a token's signature is paid for once, its end is looked at every time, and what is kept has a limit", async () => {
  const clock = new VirtualClock();
  let signatures = 0;
  const counting: Hasher = {
    sha256: (bytes) => hasher.sha256(bytes),
    crc32c: (bytes) => hasher.crc32c(bytes),
    hmac: (key, message) => {
      signatures++;
      return hasher.hmac(key, message);
    },
  };
  const gate = new TokenGate({ clock, hasher: counting, cluster, key: tokenKey });
  const check = (token: string): Promise<string> => kindOf((async () => gate.read(token, group))());
  const tokenUntil = (ms: number, of: GroupId = group): string =>
    tokenOf({ kind: "read", group: of, expiresAt: clock.now() + ms });

  const often = tokenUntil(10_000);
  for (let time = 0; time < 100; time++) expect(await check(often)).toBe("no error");
  expect(signatures).toBe(1);
  for (let time = 0; time < 3; time++) expect(await check(`${often}x`)).toBe("unauthenticated");
  expect(signatures).toBe(1);

  for (let other = 0; other < 5000; other++) {
    await check(tokenUntil(20_000 + other));
    if (other % 1000 === 0) await check(often);
  }
  const before = signatures;
  expect(await check(often)).toBe("no error");
  expect(signatures).toBe(before);
  await check(tokenUntil(20_000));
  expect(signatures).toBe(before + 1);

  clock.jump(10_000);
  expect(await check(often)).toBe("unauthenticated");
});
