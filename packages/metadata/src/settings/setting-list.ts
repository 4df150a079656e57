import type { Setting } from "@cairn/protocol";

type Definition = Omit<Setting, "name" | "value">;

export type SettingName =
  | "repair.delay"
  | "repair.delay-single"
  | "repair.paused"
  | "repair.rate"
  | "repair.streams"
  | "storm.lost-disks"
  | "storm.window"
  | "storm.disks-up"
  | "safe-mode.reported"
  | "safe-mode.time"
  | "scrub.paused"
  | "scrub.rate"
  | "scrub.every"
  | "collect.paused"
  | "collect.grace"
  | "collect.trash"
  | "collect.every"
  | "collect.orphans-every"
  | "collect.audit-every"
  | "compaction.rate"
  | "events.kept"
  | "lifecycle.day";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const mebibyte = 2 ** 20;

/**
 * Every threshold of maintenance, with its default and its bounds. Each can be changed while the cluster runs
 * (`cairn config set NAME VALUE`) and at its start (`cairn start --set NAME=VALUE`). None decides whether something is
 * safe: they decide when to try, and how fast.
 */
export const settingList: Readonly<Record<SettingName, Definition>> = {
  "repair.delay": ms(
    10 * minute,
    0,
    day,
    "How long a node is silent before its groups get new copies while two good ones are left.",
  ),
  "repair.delay-single": ms(5 * minute, 0, day, "The same while a single good copy is left."),
  "repair.paused": flag("No group is repaired or moved while this is 1."),
  "repair.rate": rate(50 * mebibyte, "Bytes that repair and moves write to one disk."),
  "repair.streams": count(2, 1, 16, "Groups that one disk gives or takes copies of at once."),
  "storm.lost-disks": percent(
    25,
    "More disks than this going away within a quarter of an hour stop repair and collection.",
  ),
  "storm.window": ms(15 * minute, second, day, "The time within which lost disks are counted together."),
  "storm.disks-up": percent(75, "With fewer disks than this up, nothing is repaired or collected."),
  "safe-mode.reported": percent(
    99,
    "After a start nothing is repaired, trimmed or collected until so many copies of groups were reported …",
  ),
  "safe-mode.time": ms(10 * minute, 0, day, "… or until this time has passed and at least one node was heard."),
  "scrub.paused": flag("Nothing is scrubbed while this is 1."),
  "scrub.rate": rate(10 * mebibyte, "Bytes of one disk that are read for checking."),
  "scrub.every": ms(
    30 * day,
    minute,
    365 * day,
    "A full pass over a disk is begun this long after the last one began.",
  ),
  "collect.paused": flag("Nothing is condemned or deleted while this is 1."),
  "collect.grace": ms(day, 0, 365 * day, "How long a chunk stays after nothing refers to it any more."),
  "collect.trash": ms(3 * day, 0, 365 * day, "How long deleted bytes stay on their disks."),
  "collect.every": ms(minute, second, day, "Pause between two runs of the collection."),
  "collect.orphans-every": ms(
    hour,
    second,
    30 * day,
    "A group whose copies have changed is compared with the chunks that are needed at most this often.",
  ),
  "collect.audit-every": ms(7 * day, minute, 365 * day, "References are counted anew this often."),
  "compaction.rate": rate(20 * mebibyte, "Bytes per second that compaction writes to one disk."),
  "events.kept": count(100_000, 100, 10_000_000, "Events that are kept; the oldest go."),
  "lifecycle.day": ms(
    day,
    second,
    day,
    "What counts as a day in the lifecycle rules of buckets. Shorter only to try rules out: objects go sooner.",
  ),
};

export const settingNames: readonly SettingName[] = Object.keys(settingList) as SettingName[];

function ms(value: number, min: number, max: number, description: string): Definition {
  return { default: value, unit: "ms", min, max, description };
}

function rate(value: number, description: string): Definition {
  return { default: value, unit: "bytes/s", min: 0, max: 2 ** 40, description };
}

function percent(value: number, description: string): Definition {
  return { default: value, unit: "percent", min: 0, max: 100, description };
}

function count(value: number, min: number, max: number, description: string): Definition {
  return { default: value, unit: "count", min, max, description };
}

function flag(description: string): Definition {
  return { default: 0, unit: "switch", min: 0, max: 1, description };
}
