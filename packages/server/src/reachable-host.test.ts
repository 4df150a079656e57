import { StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { isWildcard, localUrl, reachableHost } from "./reachable-host.ts";

const address = (text: string, changes: object = {}) => ({
  address: text,
  netmask: "",
  family: text.includes(":") ? ("IPv6" as const) : ("IPv4" as const),
  mac: "",
  internal: false,
  cidr: null,
  scopeid: 0,
  ...changes,
});
const loopback = { lo: [address("127.0.0.1", { internal: true }), address("::1", { internal: true })] };

test("an address that names one machine stays as it is", () => {
  expect(reachableHost("192.0.2.7", {})).toBe("192.0.2.7");
  expect(reachableHost("storage.example", {})).toBe("storage.example");
  expect(localUrl("http://192.0.2.7:7070")).toBe("http://192.0.2.7:7070");
});

test("a wildcard stands for the one address that the machine has in a network", () => {
  expect(reachableHost("0.0.0.0", { ...loopback, eth0: [address("192.0.2.7"), address("fe80::1")] })).toBe("192.0.2.7");
  expect(reachableHost("::", { ...loopback, eth0: [address("fe80::1"), address("2001:db8::7")] })).toBe("2001:db8::7");
});

test("with several addresses or none a person must choose, and is told how", () => {
  for (const interfaces of [loopback, { a: [address("192.0.2.7")], b: [address("198.51.100.7")] }]) {
    const failure = (() => {
      try {
        return reachableHost("0.0.0.0", interfaces);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(StorageError);
    expect(failure).toMatchObject({ kind: "invalid", hint: expect.stringContaining("--advertise") });
  }
});

test("the machine itself reaches a wildcard by its loopback address", () => {
  expect(localUrl("http://0.0.0.0:7070")).toBe("http://127.0.0.1:7070");
  expect(localUrl("http://[::]:7070")).toBe("http://[::1]:7070");
  expect([
    isWildcard("0.0.0.0"),
    isWildcard("::"),
    isWildcard("127.0.0.1"),
    isWildcard("::1"),
    isWildcard("0"),
  ]).toEqual([true, true, false, false, false]);
});
