import { formatSettingValue, parseSettingValue, type Setting } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { renderTable } from "../table.ts";

export function addConfigCommand(program: Command, act: Act): void {
  const config = program.command("config").description("See and change the thresholds of the cluster.");
  addExamples(config, [["cairn config list", "every threshold with its default"]]);
  const list = config.command("list").alias("ls").description("List every threshold with its value and its default.");
  addExamples(list, [["cairn config list", "what can be set"]]);
  act(list, async (context: CommandContext) => print(context, await settings(context)));
  const get = config.command("get").description("Show one threshold.").argument("<name>", "such as repair.delay");
  addExamples(get, [["cairn config get repair.delay", "how long a node may be silent"]]);
  act(get, async (context: CommandContext, _options: unknown, name: string) => {
    const setting = found(await settings(context), name);
    const { output } = context;
    if (output.format === "json") await output.document(setting);
    else if (output.format === "human")
      await output.line(`${formatSettingValue(setting, setting.value)}\n${setting.description}`);
    else await output.line(String(setting.value));
    return undefined;
  });
  const set = config
    .command("set")
    .description("Change a threshold while the cluster runs.")
    .argument("<name>", "such as repair.delay")
    .argument("<value>", "such as 2s, 10MiB, 25% or on; default: what it was");
  addExamples(set, [
    ["cairn config set repair.delay 2m", "with units"],
    ["cairn config set repair.delay default", "as it was"],
  ]);
  act(set, setValue);
}

async function settings(context: CommandContext): Promise<readonly Setting[]> {
  const { operations } = await context.client();
  return operations.settings({ signal: context.signal });
}

async function setValue(context: CommandContext, _options: unknown, name: string, text: string): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const before = found(await operations.settings({ signal }), name);
  const value = text === "default" ? before.default : parseSettingValue(before, text);
  const after = found(await operations.changeSettings({ [name]: value }, { signal }), name);
  if (output.format === "json") await output.document(after);
  else if (output.format === "human") {
    const was = formatSettingValue(before, before.value);
    await output.line(`${name} is ${formatSettingValue(after, after.value)} (it was ${was}).`);
  } else await output.line(String(after.value));
}

function found(list: readonly Setting[], name: string): Setting {
  const setting = list.find((one) => one.name === name);
  if (setting) return setting;
  throw new Failure("E_NOT_FOUND", `there is no setting ${name}`, {
    exitCode: exitCodes.notFound,
    hint: "list them with `cairn config list`",
  });
}

async function print({ output }: CommandContext, list: readonly Setting[]): Promise<undefined> {
  switch (output.format) {
    case "json":
      await output.document({ items: list });
      return;
    case "ids":
      for (const { name } of list) await output.line(name);
      return;
    case "plain":
      for (const it of list) await output.fields([it.name, it.value, it.default, it.unit]);
      return;
    case "human": {
      const { colors } = output;
      const columns = [
        { title: "NAME" },
        { title: "VALUE", align: "right" },
        { title: "DEFAULT", align: "right" },
        { title: "" },
      ] as const;
      const rows = list.map((it) => [
        it.name,
        {
          text: formatSettingValue(it, it.value),
          paint: it.value === it.default ? (text: string) => text : colors.yellow,
        },
        formatSettingValue(it, it.default),
        it.description,
      ]);
      await output.line(renderTable(columns, rows));
    }
  }
}
