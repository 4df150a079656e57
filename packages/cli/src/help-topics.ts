import { exitCodeMeanings } from "./exit-codes.ts";

/** Help that belongs to no single command, by name. */
export const helpTopics: Readonly<Record<string, () => string>> = {
  "exit-codes": () =>
    [
      "How a command ends. Treat codes that are not listed as failure.",
      "",
      ...exitCodeMeanings.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
    ].join("\n"),
  environment: () =>
    [
      "What is read from the environment. A flag always wins.",
      "",
      ...environmentVariables.map(([name, meaning]) => `  ${name.padEnd(22)}${meaning}`),
    ].join("\n"),
  paths: () => pathsTopic,
};

/** Every variable that the command reads. */
export const environmentVariables: readonly (readonly [name: string, meaning: string])[] = [
  ["CAIRN_URL", "the cluster to talk to (--url)"],
  ["CAIRN_TOKEN", "the access token"],
  ["CAIRN_TOKEN_FILE", "a file that holds the access token (--token-file)"],
  ["CAIRN_DATA", "the data folder of a local cluster (--data)"],
  ["CAIRN_PROFILE", "the profile to use (--profile)"],
  ["CAIRN_DRIVE", "the drive that paths belong to (--drive)"],
  ["CAIRN_SET", "thresholds for start and server metadata, with commas: repair.delay=2m,scrub.every=7d (--set)"],
  ["CAIRN_REPAIR_DELAY", "the same for the delay of repairs alone (--repair-delay)"],
  ["CAIRN_JSON", "1: write JSON (--json)"],
  ["CAIRN_DEBUG", "1: show where a failure came from (--debug)"],
  ["CAIRN_PROGRESS_FPS", "how often progress is painted in a second, up to 10"],
  ["NO_COLOR", "anything: write no colours (--no-color); also CAIRN_NO_COLOR"],
  ["CLICOLOR_FORCE", "1: write colours into pipes and files too"],
  ["TERM", "dumb: no colours and no progress bar"],
  ["XDG_CONFIG_HOME", "where profiles stand: cairn/profiles.json (default: ~/.config)"],
  ["XDG_STATE_HOME", "where unfinished uploads are remembered (default: ~/.local/state)"],
  ["XDG_DATA_HOME", "where a local cluster keeps its data (default: ~/.local/share)"],
];

const pathsTopic = `How to name things.

  /Projects/a.txt     a path in the drive: names joined by slashes, from the root
  f_01j9zk3v…         an id; it stays the same when a file is moved or renamed
  f_01j9zk            the beginning of an id, as long as it fits one thing only
  -                   stdin (upload) or stdout (download --output -)

Wherever an id is accepted, a path is too. Names are 1 to 255 bytes of UTF-8. Control characters
in names are shown as \\n, \\t or \\x1b, and as they are with --json.

Which cluster a command talks to, the first that is there:
  --url · --data · --profile · CAIRN_URL · CAIRN_DATA · CAIRN_PROFILE · the default profile ·
  the default data folder. A token that came with a profile or a data folder is sent to no other URL.`;
