import type { WebhookTarget } from "@cairn/client";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatAge, formatTime } from "../format.ts";
import { renderTable } from "../table.ts";

/** `cairn s3 webhook`: where events of buckets are posted. */
export function addWebhookCommand(s3: Command, act: Act): void {
  const webhook = s3
    .command("webhook")
    .description("Add, list and remove addresses that events of buckets are posted to.");
  addExamples(webhook, [["cairn s3 webhook list", "what is there, and what waits to be posted"]]);
  const add = webhook
    .command("add")
    .description("Let notifications of buckets name this address; a known name gets the new one.")
    .argument("<name>", "small letters, digits and '-'")
    .argument("<url>", "http:// or https://");
  addExamples(add, [
    ["cairn s3 webhook add index https://index.example.org/events", "prints the name that buckets give it"],
  ]);
  act(add, addWebhook);
  const list = webhook.command("list").alias("ls").description("List webhooks and how many events wait for each.");
  addExamples(list, [["cairn s3 webhook list", "what is there, and what waits to be posted"]]);
  act(list, listWebhooks);
  const remove = webhook
    .command("remove")
    .alias("rm")
    .description("Remove a webhook that no bucket names, with what waits for it.")
    .argument("<name>", "as `cairn s3 webhook list` shows it");
  addExamples(remove, [["cairn s3 webhook remove index", "by its name"]]);
  act(remove, removeWebhook);
}

async function addWebhook(context: CommandContext, _options: unknown, name: string, url: string): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const target = await client.webhooks.put(name, url, { signal });
  if (output.format === "json") await output.document({ name, url, target });
  else await output.line(target);
}

async function listWebhooks(context: CommandContext): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const webhooks = await client.webhooks.list({ signal });
  switch (output.format) {
    case "json":
      await output.document({ items: webhooks.map((it) => ({ ...it, createdAt: formatTime(it.createdAt) })) });
      return;
    case "ids":
      for (const { name } of webhooks) await output.line(name);
      return;
    case "plain":
      for (const it of webhooks) await output.fields([it.name, it.url, it.target, String(it.waiting)]);
      return;
    case "human":
      await output.line(webhookTable(webhooks));
  }
}

function webhookTable(webhooks: readonly WebhookTarget[]): string {
  const now = Date.now();
  const columns = ["NAME", "URL", "TARGET", "WAITING", "CREATED"].map((title) => ({ title }));
  return renderTable(
    columns,
    webhooks.map((it) => [it.name, it.url, it.target, String(it.waiting), formatAge(it.createdAt, now)]),
  );
}

async function removeWebhook(context: CommandContext, _options: unknown, name: string): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  await client.webhooks.remove(name, { signal });
  if (output.format === "json") await output.document({ name, removed: true });
  else if (output.format === "human") await output.line(`Removed: ${name}`);
  else await output.line(name);
}
