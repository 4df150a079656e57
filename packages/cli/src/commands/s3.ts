import type { AccessKey } from "@cairn/protocol";
import { type Command, InvalidArgumentError } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatAge, formatTime } from "../format.ts";
import { durationValue } from "../option-values.ts";
import { renderTable } from "../table.ts";
import { addWebhookCommand } from "./s3-webhook.ts";
import { collected } from "./start.ts";

interface KeyCreateOptions {
  readonly name: string;
  readonly scope: AccessKey["scopes"];
  readonly bucket?: readonly string[];
  readonly expires?: number;
}

export function addS3Command(program: Command, act: Act): void {
  const s3 = program.command("s3").description("Keys for S3 clients, and webhooks for events of buckets.");
  addExamples(s3, [["cairn s3 key create --name backup", "prints what an S3 client needs"]]);
  const key = s3.command("key").description("Make, list and revoke access keys of S3.");
  addExamples(key, [["cairn s3 key list", "who may do what"]]);
  const create = key
    .command("create")
    .description("Make an access key. Its secret is shown this once.")
    .option("--name <name>", "what it is for", "s3")
    .option("--scope <scopes>", "read, write or both with a comma", scopesValue, ["read", "write"])
    .option("--bucket <name>", "only this bucket, which is a drive; as often as needed (default: all)", collected)
    .option("--expires <duration>", "how long it is good, such as 30d (default: for ever)", durationValue);
  addExamples(create, [
    ["cairn s3 key create --name backup", "for all buckets"],
    ["cairn s3 key create --name web --bucket photos --scope read --json", "for a script"],
  ]);
  act(create, createKey);
  const list = key.command("list").alias("ls").description("List access keys, without their secrets.");
  addExamples(list, [["cairn s3 key list", "who may do what"]]);
  act(list, listKeys);
  const revoke = key
    .command("revoke")
    .description("Make an access key worthless at once.")
    .argument("<access_key_id>", "id as `cairn s3 key list` shows it");
  addExamples(revoke, [["cairn s3 key revoke CAIRNX2K7Q4M9T6V3B8N", "by its id"]]);
  act(revoke, revokeKey);
  addWebhookCommand(s3, act);
}

const scopes = ["read", "write"] as const;

function scopesValue(text: string): AccessKey["scopes"] {
  const wanted = text.split(",").map((part) => part.trim());
  const known = scopes.filter((scope) => wanted.includes(scope));
  if (known.length === 0 || known.length < new Set(wanted).size)
    throw new InvalidArgumentError("Scopes are read, write.");
  return known;
}

async function createKey(context: CommandContext, options: KeyCreateOptions): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const { name, scope, bucket, expires } = options;
  const made = await client.accessKeys.create(
    { name, scopes: scope, expiresInMs: expires, ...(bucket === undefined ? {} : { drives: bucket }) },
    { signal },
  );
  if (output.format === "json") {
    await output.document({ ...made });
    return;
  }
  await output.line(`AWS_ENDPOINT_URL=${made.endpoint}`);
  await output.line(`AWS_REGION=${made.region}`);
  await output.line(`AWS_ACCESS_KEY_ID=${made.accessKeyId}`);
  await output.line(`AWS_SECRET_ACCESS_KEY=${made.secretAccessKey}`);
  output.note("Keep the secret: it is not shown again.");
}

async function listKeys(context: CommandContext): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const keys = await client.accessKeys.list({ signal });
  switch (output.format) {
    case "json":
      await output.document({ items: keys.map(keyResource) });
      return;
    case "ids":
      for (const { id } of keys) await output.line(id);
      return;
    case "plain":
      for (const it of keys) await output.fields([it.id, it.name, it.scopes.join(","), formatTime(it.createdAt)]);
      return;
    case "human":
      await output.line(keyTable(keys));
  }
}

function keyTable(keys: readonly AccessKey[]): string {
  const now = Date.now();
  const columns = ["ID", "NAME", "SCOPES", "BUCKETS", "CREATED", "EXPIRES"].map((title) => ({ title }));
  return renderTable(
    columns,
    keys.map((it) => [
      ...[it.id, it.name, it.scopes.join(", "), it.drives?.join(", ") ?? "all", formatAge(it.createdAt, now)],
      it.expiresAt === undefined ? "never" : formatTime(it.expiresAt),
    ]),
  );
}

function keyResource({ id, createdAt, expiresAt, ...key }: AccessKey): object {
  return {
    accessKeyId: id,
    ...key,
    createdAt: formatTime(createdAt),
    expiresAt: expiresAt === undefined ? null : formatTime(expiresAt),
  };
}

async function revokeKey(context: CommandContext, _options: unknown, id: string): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  await client.accessKeys.revoke(id, { signal });
  if (output.format === "json") await output.document({ accessKeyId: id, revoked: true });
  else if (output.format === "human") await output.line(`Revoked: ${id}`);
  else await output.line(id);
}
