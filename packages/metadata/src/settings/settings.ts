import type { Clock, SqlDatabase } from "@cairn/env";
import { parseSettingValue, type Setting, StorageError } from "@cairn/protocol";
import { type SettingName, settingList, settingNames } from "./setting-list.ts";

/** The thresholds as they are now: in memory for whoever asks, in table `setting` for the next start. */
export class Settings {
  readonly #world: { readonly database: SqlDatabase; readonly clock: Clock };
  #changed: ReadonlyMap<SettingName, number>;

  private constructor(
    world: { readonly database: SqlDatabase; readonly clock: Clock },
    changed: Map<SettingName, number>,
  ) {
    this.#world = world;
    this.#changed = changed;
  }

  static async load(world: { readonly database: SqlDatabase; readonly clock: Clock }): Promise<Settings> {
    const rows = await world.database.read((sql) =>
      sql.all<{ name: string; value: number }>("SELECT name, value FROM setting"),
    );
    // What another version knew under a name that this one does not is kept, and means nothing here.
    const known = rows.filter((row) => isSettingName(row.name));
    return new Settings(world, new Map(known.map((row) => [row.name as SettingName, row.value])));
  }

  get(name: SettingName): number {
    return this.#changed.get(name) ?? settingList[name].default;
  }

  isOn(name: "repair.paused" | "scrub.paused" | "collect.paused"): boolean {
    return this.get(name) === 1;
  }

  list(): readonly Setting[] {
    return settingNames.map((name) => ({ name, value: this.get(name), ...settingList[name] }));
  }

  /** All or none. Throws invalid, with the names there are, for an unknown name or a value out of range. */
  async change(changes: Readonly<Record<string, number>>): Promise<readonly Setting[]> {
    const checked = Object.entries(changes).map(([name, value]) => checkedChange(name, value));
    await this.#world.database.write(async (sql) => {
      for (const [name, value] of checked) {
        await sql.run(
          `INSERT INTO setting (name, value, changed_at) VALUES (?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at`,
          name,
          value,
          this.#world.clock.now(),
        );
      }
    });
    this.#changed = new Map([...this.#changed, ...checked]);
    return this.list();
  }
}

/** The value that people gave a setting, such as `2s`, in the setting's unit. Throws invalid as changing it would. */
export function parseSetting(name: string, text: string): number {
  if (!isSettingName(name)) throw unknownSetting(name);
  const [, value] = checkedChange(name, parseSettingValue({ name, unit: settingList[name].unit }, text));
  return value;
}

function checkedChange(name: string, value: number): readonly [SettingName, number] {
  if (!isSettingName(name)) throw unknownSetting(name);
  const { min, max, unit } = settingList[name];
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new StorageError("invalid", "change setting", `${name} = ${value}`, {
      hint: `It is a whole number (${unit}) from ${min} to ${max}.`,
    });
  }
  return [name, value];
}

function unknownSetting(name: string): StorageError {
  return new StorageError("invalid", "change setting", `there is no setting ${name.slice(0, 80)}`, {
    hint: `There are: ${settingNames.join(", ")}.`,
  });
}

function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settingList, name);
}
