// One run of requests against an S3 door, or against a bare server that takes them for nothing: what the generator costs is the
// same for both. Told by its parent what to do; answers rates and latencies. Bodies are unsigned and all different.
import { createHash, createHmac } from "node:crypto";
import { Agent, request } from "node:http";
import { inParallel } from "./measure.mjs";

process.on("message", async (task) => process.send(await run(task)));
process.on("disconnect", () => process.exit(0));

async function run({ endpoint, credentials, op, size = 0, clients, count, bucket, prefix = "", query = "" }) {
  const { hostname, port } = new URL(endpoint);
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const block = Buffer.alloc(size, 7);
  const latencies = [];
  let next = "";
  const one = async (index) => {
    const body = op === "PUT" ? stamped(block, `${process.pid} ${performance.now()} ${index}`) : undefined;
    const path = op === "LIST" ? `/${bucket}` : `/${bucket}/${prefix}${index}`;
    const search = op === "LIST" ? `list-type=2&max-keys=1000${query}${next}` : "";
    const method = op === "LIST" ? "GET" : op;
    const headers = signed({ method, path, search, host: `${hostname}:${port}`, ...credentials });
    const startedAt = performance.now();
    const text = await exchange(
      { agent, hostname, port, method, path: search ? `${path}?${search}` : path, headers },
      body,
    );
    latencies.push(performance.now() - startedAt);
    if (op !== "LIST") return;
    const token = /<NextContinuationToken>([^<]+)</.exec(text)?.[1];
    next = token ? `&continuation-token=${encodeURIComponent(token)}` : "";
  };
  const startedAt = performance.now();
  await inParallel(count, clients, one);
  const seconds = (performance.now() - startedAt) / 1000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share) =>
    Number(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))].toFixed(2));
  return { perSecond: count / seconds, MiBps: (count * size) / seconds / 2 ** 20, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** No server wins by finding content that it has already. */
function stamped(block, text) {
  const body = Buffer.from(block);
  for (let at = 0; at + text.length <= body.length; at += 65_536) body.write(text, at, "latin1");
  return body;
}

function exchange(options, body) {
  return new Promise((resolve, reject) => {
    const wantsText = options.path.includes("list-type");
    const sent = request(
      { ...options, headers: { ...options.headers, ...(body ? { "content-length": body.length } : {}) } },
      (reply) => {
        let text = "";
        reply.on("data", (piece) => {
          if (wantsText || reply.statusCode >= 300) text += piece;
        });
        reply.on("end", () =>
          reply.statusCode < 300 ? resolve(text) : reject(new Error(`${reply.statusCode} ${text}`)),
        );
        reply.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const keys = new Map();

/** Signature Version 4 with an unsigned payload. */
function signed({ method, path, search, host, accessKeyId, secretAccessKey, region }) {
  const stamp = `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
  const scope = `${stamp.slice(0, 8)}/${region}/s3/aws4_request`;
  const names = "host;x-amz-content-sha256;x-amz-date";
  const query = search
    .split("&")
    .sort()
    .map((pair) => (pair === "" || pair.includes("=") ? pair : `${pair}=`))
    .join("&");
  const canonical = `${method}\n${path}\n${query}\nhost:${host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:${stamp}\n\n${names}\nUNSIGNED-PAYLOAD`;
  const text = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
  if (!keys.has(scope)) {
    const parts = [stamp.slice(0, 8), region, "s3", "aws4_request"];
    keys.set(
      scope,
      parts.reduce((key, part) => createHmac("sha256", key).update(part).digest(), `AWS4${secretAccessKey}`),
    );
  }
  const signature = createHmac("sha256", keys.get(scope)).update(text).digest("hex");
  return {
    host,
    "x-amz-date": stamp,
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope},SignedHeaders=${names},Signature=${signature}`,
  };
}
