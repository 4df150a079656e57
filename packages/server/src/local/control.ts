import type { HttpReply, IncomingRequest, Network } from "@cairn/env";
import { NodeNetwork } from "@cairn/env-node";
import { equalConstantTime, StorageError, toWireError, utf8 } from "@cairn/protocol";
import { jsonOfReply, statusOfKind } from "@cairn/remote";
import { places } from "../places.ts";
import { readJsonFile } from "../secret-file.ts";
import type { ChildState } from "./child-process.ts";

/** How the supervisor of a local cluster is reached; kept in a file of mode 0600. */
export interface ControlAddress {
  readonly url: string;
  readonly secret: string;
  readonly pid: number;
}

export interface LocalStatus {
  /** URL of the gateway. */
  readonly url: string;
  readonly processes: readonly {
    readonly name: string;
    readonly state: ChildState;
    readonly pid?: number | undefined;
    readonly url?: string | undefined;
  }[];
}

/** What can be asked of a running local cluster. */
export interface LocalControl {
  status(): Promise<LocalStatus>;
  /** kill -9, and stays down. Throws not-found. */
  kill(name: string): Promise<void>;
  /** Throws not-found, conflict when it is not down. */
  revive(name: string): Promise<void>;
}

/** The control of the cluster that runs on a data folder. Throws unavailable when none does. */
export async function localControl(data: string): Promise<LocalControl> {
  const address = await readJsonFile<ControlAddress>(places.supervisor(data));
  if (!address) throw notRunning(data);
  const call = async <Result>(method: "GET" | "POST", path: string): Promise<Result> => {
    await using network = new NodeNetwork();
    return jsonOfReply<Result>(await ask(network, { address, data, method, path }), "control cluster");
  };
  return {
    status: () => call("GET", "/status"),
    kill: (name) => call("POST", `/kill/${encodeURIComponent(name)}`),
    revive: (name) => call("POST", `/revive/${encodeURIComponent(name)}`),
  };
}

/** The other half: answers those who know the secret. */
export function controlHandler(
  secret: string,
  control: LocalControl,
): (request: IncomingRequest) => Promise<HttpReply> {
  return async (request) => {
    try {
      const given = utf8(request.headers["authorization"] ?? "");
      if (!equalConstantTime(given, utf8(`Bearer ${secret}`)))
        throw new StorageError("unauthenticated", "control cluster", "the secret is wrong");
      return json(200, await dispatch(request, control));
    } catch (error) {
      const wire = toWireError(error);
      return json(statusOfKind(wire.kind), { error: wire });
    }
  };
}

async function dispatch(request: IncomingRequest, control: LocalControl): Promise<unknown> {
  if (request.method === "GET" && request.target === "/status") return control.status();
  const match = /^\/(kill|revive)\/([^/?]+)$/.exec(request.target);
  if (request.method !== "POST" || !match)
    throw new StorageError("not-found", "control cluster", request.target.slice(0, 80));
  const name = decodeURIComponent(match[2] ?? "");
  await (match[1] === "kill" ? control.kill(name) : control.revive(name));
  return {};
}

async function ask(
  network: Network,
  { address, data, method, path }: { address: ControlAddress; data: string; method: "GET" | "POST"; path: string },
): Promise<Awaited<ReturnType<Network["request"]>>> {
  try {
    return await network.request({
      method,
      url: address.url + path,
      headers: { authorization: `Bearer ${address.secret}` },
      timeoutMs: 30_000,
      replyBytesMax: 1_048_576,
    });
  } catch (cause) {
    throw cause instanceof StorageError && cause.kind === "unavailable" ? notRunning(data) : cause;
  }
}

function notRunning(data: string): StorageError {
  return new StorageError("unavailable", "control cluster", `no local cluster runs on ${data}`, {
    hint: "Start one with: npm start",
  });
}

function json(status: number, value: unknown): HttpReply {
  return { status, headers: { "content-type": "application/json" }, body: [utf8(JSON.stringify(value ?? {}))] };
}
