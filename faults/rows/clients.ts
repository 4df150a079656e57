import { FaultCluster } from "../harness/fault-cluster.ts";
import { head, RawConnection } from "../harness/raw-request.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const MiB = 1024 * 1024;

/** A gateway process is killed while files go up and down through it. */
async function gatewayDies(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const client = cluster.client();
  const { secret } = await client.createJoinToken({ expiresInMs: 3_600_000 });
  const place = ["--data", cluster.placeOf("gateway"), "--port", "0"];
  const joining = ["--metadata", cluster.metadataUrl, "--join", secret];
  const gateway = cluster.process("gateway", ["server", "gateway", ...place, ...joining]);
  await gateway.start();
  const authorization = `Bearer ${cluster.profile.token}`;
  const old = Buffer.alloc(8 * MiB, "old");
  const fresh = Buffer.alloc(8 * MiB, "new");
  await client.upload({ bytes: old }, { name: "through" });
  let whole = 0;
  for (let turn = 0; turn < 6; turn++) {
    const url = `${gateway.url}/api/v1/files/by-path/through?onConflict=version`;
    const upload = fetch(url, { method: "PUT", headers: { authorization }, body: fresh }).then(
      ({ status }) => status,
      () => "broken",
    );
    const { id } = await client.stat("/through");
    const download = fetch(`${gateway.url}/api/v1/files/${id}/content`, { headers: { authorization } })
      .then(async (reply) => ({ status: reply.status, bytes: Buffer.from(await reply.arrayBuffer()) }))
      .catch(() => undefined);
    await context.pause(context.between(5, 900));
    await gateway.kill();
    const [status, read] = await Promise.all([upload, download]);
    if (read?.status === 200) {
      const right = read.bytes.equals(old) || read.bytes.equals(fresh);
      context.expect("O1", right, `a download through a dying gateway gave ${read.bytes.length} wrong bytes`);
    }
    const parts: Uint8Array[] = [];
    for await (const part of (await client.download("/through")).bytes) parts.push(Uint8Array.from(part));
    const now = Buffer.concat(parts);
    const legal = now.equals(fresh) || (status !== 200 && status !== 201 && now.equals(old));
    context.expect("O1", legal, `after an upload that ended with ${status} the file is neither old nor new`);
    if (now.equals(fresh)) whole++;
    await client.upload({ bytes: old }, { name: "through", onConflict: "version" });
    await gateway.start();
  }
  context.note("uploads that had happened", whole);
  const workload = await new Workload(context, cluster).start();
  await workload.more(10);
  await judgeAll(context, cluster, { workload });
}

/** Clients that vanish in the middle of an upload, or say less than they promised. */
async function clientDies(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const client = cluster.client();
  const old = Buffer.alloc(300_000, "old");
  await client.upload({ bytes: old }, { name: "kept" });
  const url = cluster.metadata.url;
  const headers = { authorization: `Bearer ${cluster.profile.token}`, "content-length": 5 * MiB };
  const line = "PUT /api/v1/files/by-path/kept?onConflict=version";
  const body = Buffer.alloc(5 * MiB, "new");
  for (let turn = 0; turn < 20; turn++) {
    const connection = new RawConnection(url);
    connection.send(head(line, headers));
    connection.send(body.subarray(0, context.between(0, body.length)));
    await context.pause(context.between(0, 60));
    if (turn % 2 === 0) connection.reset();
    else connection.socket.end();
    if (turn % 2 === 1) {
      await context.becomes(() => connection.closed || connection.status !== undefined, 5000);
      const { status } = connection;
      context.expect("expected", status === undefined || status >= 400, `a short body was answered with ${status}`);
      if (status !== undefined) context.note("a short body is answered with", status);
    }
    connection.socket.destroy();
  }
  const parts: Uint8Array[] = [];
  for await (const part of (await client.download("/kept")).bytes) parts.push(Uint8Array.from(part));
  context.expect("O1", Buffer.concat(parts).equals(old), "the file changed");
  const versions = (await client.listVersions("/kept")).items.length;
  context.expect("expected", versions === 1, `the file has ${versions} versions`);
  const workload = await new Workload(context, cluster).start();
  await workload.more(20);
  await judgeAll(context, cluster, { workload });
}

export const clientRows: readonly Row[] = [
  {
    id: "F04",
    tier: 0,
    title: "kill -9 of a gateway process in the middle of uploads and downloads",
    expected: "nothing half is visible; what was acknowledged is there",
    needs: [],
    run: gatewayDies,
  },
  {
    id: "F20",
    tier: 0,
    title: "clients vanish in the middle of an upload, or send a short body",
    expected: "the file is unchanged; a short body is an error",
    needs: [],
    quick: true,
    run: clientDies,
  },
];
