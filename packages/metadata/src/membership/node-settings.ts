import type { NodeSettings } from "@cairn/protocol";
import type { Settings } from "../settings/settings.ts";

const yearMs = 365 * 86_400_000;

/** What nodes are told of the thresholds. While nothing may be deleted, what was deleted before stays in their trash too. */
export function nodeSettings(settings: Settings, noDelete: string | undefined): NodeSettings {
  return {
    scrubBytesPerSecond: settings.isOn("scrub.paused") ? 0 : settings.get("scrub.rate"),
    scrubEveryMs: settings.get("scrub.every"),
    repairBytesPerSecond: settings.get("repair.rate"),
    compactionBytesPerSecond: noDelete === undefined ? settings.get("compaction.rate") : 0,
    trashMs: noDelete === undefined ? settings.get("collect.trash") : yearMs,
  };
}
