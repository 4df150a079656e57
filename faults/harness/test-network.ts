import type { RowContext } from "../run/row-context.ts";
import { run } from "./shell.ts";

let networks = 0;

/** Hosts of a row's own: network namespaces on a bridge that lead nowhere else. */
export class TestNetwork {
  readonly #name: string;
  readonly #subnet: string;
  readonly #hosts = new Map<string, { readonly space: string; readonly address: string }>();

  private constructor(number: number) {
    this.#name = `cf${process.pid % 10_000}n${number}`;
    this.#subnet = `10.77.${number % 250}`;
  }

  /** One host for each name; the harness itself is the first address. */
  static async make(context: RowContext, names: readonly string[]): Promise<TestNetwork> {
    const network = new TestNetwork(++networks);
    context.defer("remove bridge", () => run("ip", "link", "del", network.#name));
    await run("ip", "link", "add", network.#name, "type", "bridge");
    await run("ip", "addr", "add", `${network.#subnet}.1/24`, "dev", network.#name);
    await run("ip", "link", "set", network.#name, "up");
    for (const [index, name] of names.entries()) await network.#addHost(context, name, index);
    return network;
  }

  addressOf(name: string): string {
    return name === "clients" ? `${this.#subnet}.1` : this.#host(name).address;
  }

  prefixOf(name: string): readonly string[] {
    return ["ip", "netns", "exec", this.#host(name).space];
  }

  /** Packets of one host to another vanish; those the other way go through. */
  async cutOneWay(from: string, to: string): Promise<void> {
    // Clients live in the namespace of the harness, where no rule is ever made: their host drops what it would send.
    const [space, rule] =
      to === "clients"
        ? [this.#host(from).space, ["output", "ip", "daddr", this.addressOf(to), "drop"]]
        : [this.#host(to).space, ["input", "ip", "saddr", this.addressOf(from), "drop"]];
    await run("ip", "netns", "exec", space as string, "nft", "add", "rule", "inet", "faults", ...(rule as string[]));
  }

  async cut(one: string, other: string): Promise<void> {
    await this.cutOneWay(one, other);
    await this.cutOneWay(other, one);
  }

  /** All packets go through again. */
  async heal(): Promise<void> {
    for (const { space } of this.#hosts.values()) {
      for (const chain of ["input", "output"]) {
        await run("ip", "netns", "exec", space, "nft", "flush", "chain", "inet", "faults", chain);
      }
    }
  }

  #host(name: string): { readonly space: string; readonly address: string } {
    const host = this.#hosts.get(name);
    if (!host) throw new Error(`there is no host ${name}`);
    return host;
  }

  async #addHost(context: RowContext, name: string, index: number): Promise<void> {
    const space = `${this.#name}h${index}`;
    const address = `${this.#subnet}.${10 + index}`;
    this.#hosts.set(name, { space, address });
    context.defer(`remove host ${name}`, () => run("ip", "netns", "del", space));
    await run("ip", "netns", "add", space);
    const inside = ["netns", "exec", space];
    await run("ip", "link", "add", `${space}o`, "type", "veth", "peer", "name", "eth0", "netns", space);
    await run("ip", "link", "set", `${space}o`, "master", this.#name, "up");
    await run("ip", ...inside, "ip", "addr", "add", `${address}/24`, "dev", "eth0");
    await run("ip", ...inside, "ip", "link", "set", "eth0", "up");
    await run("ip", ...inside, "ip", "link", "set", "lo", "up");
    await run("ip", ...inside, "nft", "add", "table", "inet", "faults");
    for (const chain of ["input", "output"]) {
      const hook = `{ type filter hook ${chain} priority 0 ; }`;
      await run("ip", ...inside, "nft", "add", "chain", "inet", "faults", chain, hook);
    }
  }
}
