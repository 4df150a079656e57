import { parseSetting, settingList } from "@cairn/metadata";
import { StorageError } from "@cairn/protocol";

/** Settings by their names, in the units of the setting. */
export type SettingValues = Readonly<Record<string, number>>;

/**
 * Thresholds as they were given at the start, each `name=value`; later ones win. `repairDelay` is the delay of all repairs
 * at once. Throws invalid.
 */
export function parseSettingOptions(words: readonly string[], repairDelay: string | undefined): SettingValues {
  const values: Record<string, number> = {};
  if (repairDelay !== undefined) {
    const delay = parseSetting("repair.delay", repairDelay);
    values["repair.delay"] = delay;
    // With one good copy left nobody wants to wait longer than with two.
    values["repair.delay-single"] = Math.min(delay, settingList["repair.delay-single"].default);
  }
  for (const word of words) {
    const [name = "", ...rest] = word.split("=");
    if (rest.length === 0) {
      throw new StorageError("invalid", "read options", `--set ${word.slice(0, 80)} names no value`, {
        hint: "It looks like --set repair.delay=2s",
      });
    }
    values[name.trim()] = parseSetting(name.trim(), rest.join("="));
  }
  return values;
}
