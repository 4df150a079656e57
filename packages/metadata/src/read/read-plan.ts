import type { Sql } from "@cairn/env";
import {
  bytesOfId,
  decodeManifest,
  type Entry,
  type EntryAddress,
  failed,
  type GroupId,
  type GroupView,
  limits,
  type ManifestPage,
  type ObjectAttributes,
  type Outcome,
  type PlanRequest,
  type ReadPlan,
  StorageError,
  succeeded,
  type VersionId,
} from "@cairn/protocol";
import type { GroupViews } from "../contracts.ts";
import { spellEtag } from "../namespace/entry-row.ts";
import { type Resolved, resolve } from "../namespace/resolve.ts";
import type { Tree } from "../namespace/tree.ts";
import { fileOfVersion } from "../objects/version-lookup.ts";
import { readTree, type Store } from "../sql/store.ts";

interface VersionRow {
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array;
  readonly content_type: string | null;
  readonly modified_at: number;
  readonly meta: string | null;
  readonly manifest: Uint8Array | null;
  readonly unversioned: number;
}

/** Answers what a reader needs to fetch bytes: one run of the manifest and its groups. */
export class ReadPlanner {
  readonly #store: Store;
  readonly #groups: GroupViews;

  constructor(store: Store, groups: GroupViews) {
    this.#store = store;
    this.#groups = groups;
  }

  /** `version` absent: the current one. Throws not-found, range (at or behind the end), invalid (a folder), conflict. */
  async plan(address: EntryAddress, version: VersionId | undefined, offset: number): Promise<ReadPlan> {
    const manifest = await readManifest(this.#store, { address, version, offset });
    return withGroups(manifest, await this.#groupsOf([manifest]));
  }

  /** Several plans on one snapshot, each with its own outcome. Throws too-large, invalid. */
  async planAll(requests: readonly PlanRequest[]): Promise<readonly Outcome<ReadPlan>[]> {
    if (!Array.isArray(requests) || requests.length > limits.plansMax) {
      throw new StorageError("too-large", "plan reads", `at most ${limits.plansMax} at once`);
    }
    const manifests = await readTree(this.#store, async (tree, sql) => {
      const outcomes: Outcome<FileManifest>[] = [];
      for (const { address, version, offset } of requests as readonly PlanRequest[]) {
        const wanted = { address, version: version ?? undefined, offset };
        outcomes.push(await manifestOf(this.#store, { tree, sql }, wanted).then(succeeded<FileManifest>, refusal));
      }
      return outcomes;
    });
    const groups = await this.#groupsOf(manifests.flatMap((outcome) => (outcome.ok ? [outcome.value] : [])));
    return manifests.map((outcome) => (outcome.ok ? succeeded(withGroups(outcome.value, groups)) : outcome));
  }

  async #groupsOf(manifests: readonly FileManifest[]): Promise<ReadonlyMap<GroupId, GroupView>> {
    const ids = new Set<GroupId>();
    for (const { page } of manifests) for (const { group } of page.entries) ids.add(group);
    const views = ids.size === 0 ? [] : await this.#groups.views([...ids]);
    return new Map(views.map((view) => [view.id, view]));
  }
}

/** What the database knows of a file's bytes. */
type FileManifest = Omit<ReadPlan, "groups">;

interface WantedManifest {
  readonly address: EntryAddress;
  readonly version?: VersionId | undefined;
  readonly offset: number;
}

const refusal = (error: unknown): Outcome<never> => failed(error, "read file");

function withGroups(manifest: FileManifest, groups: ReadonlyMap<GroupId, GroupView>): ReadPlan {
  const views = new Set<GroupView>();
  for (const { group } of manifest.page.entries) {
    const view = groups.get(group);
    if (view) views.add(view);
  }
  return { ...manifest, groups: [...views] };
}

/**
 * The run of a version's manifest that holds byte `offset`, on one snapshot: a short manifest whole, else the page.
 * Throws as ReadPlanner.plan.
 */
export function readManifest(store: Store, wanted: WantedManifest): Promise<FileManifest> {
  return readTree(store, (tree, sql) => manifestOf(store, { tree, sql }, wanted));
}

async function manifestOf(
  store: Store,
  { tree, sql }: { readonly tree: Tree; readonly sql: Sql },
  { address, version, offset }: WantedManifest,
): Promise<FileManifest> {
  const found = await fileOf(store, tree, address, version);
  const { row, entry } = await versionOf(sql, found, version);
  checkOffset(entry, offset);
  const page = row.manifest
    ? { firstChunk: 0, firstByte: 0, entries: decodeManifest(row.manifest) }
    : await pageAt(sql, entry, offset);
  const attributes = attributesOf(row);
  return { entry, ...(attributes ? { attributes } : {}), ...(row.unversioned ? { unversioned: true } : {}), page };
}

/** A version of an object may be that of a file which lies in the trash since. */
async function fileOf(
  store: Store,
  tree: Tree,
  address: EntryAddress,
  version: VersionId | undefined,
): Promise<Resolved> {
  if (version === undefined || !("key" in address)) return await resolve(tree, store.drives, address);
  return await fileOfVersion(tree, await store.drives.byId(tree.sql, address.drive), { key: address.key, version });
}

function attributesOf({ meta }: VersionRow): ObjectAttributes | undefined {
  return meta === null ? undefined : (JSON.parse(meta) as ObjectAttributes);
}

async function versionOf(
  sql: Sql,
  found: Resolved,
  version: VersionId | undefined,
): Promise<{ row: VersionRow; entry: Entry }> {
  const wanted = version === undefined ? found.row.current_version : bytesOfId(version);
  if (found.entry.kind === "folder" || !wanted) {
    throw new StorageError("invalid", "read file", `${found.entry.path} is a folder`, { hint: "Name a file." });
  }
  const row = await sql.get<VersionRow>(
    `SELECT size, chunks, etag, content_type, modified_at, meta, manifest, unversioned FROM version
     WHERE id = ? AND entry = ? AND state = 0`,
    wanted,
    found.row.id,
  );
  if (!row) throw new StorageError("not-found", "read file", `version ${version} of ${found.entry.path}`);
  if (version === undefined || version === found.entry.version) return { row, entry: found.entry };
  const entry: Entry = {
    ...found.entry,
    version,
    size: row.size,
    chunks: row.chunks,
    etag: spellEtag(row.etag),
    tag: attributesOf(row)?.tag,
    contentType: row.content_type ?? undefined,
    modifiedAt: row.modified_at,
  };
  return { row, entry };
}

/** Byte 0 of an empty file is the one offset at the end that can be read: it gives nothing. */
function checkOffset(entry: Entry, offset: number): void {
  const readable = Number.isSafeInteger(offset) && offset >= 0 && (offset < entry.size || offset === 0);
  if (readable) return;
  throw new StorageError("range", "read file", `byte ${offset} of ${entry.path}`, {
    hint: `The file has ${entry.size} bytes.`,
    details: { size: entry.size },
  });
}

async function pageAt(sql: Sql, entry: Entry, offset: number): Promise<ManifestPage> {
  const version = entry.version && bytesOfId(entry.version);
  const row =
    version &&
    (await sql.get<{ first_chunk: number; first_byte: number; data: Uint8Array }>(
      `SELECT first_chunk, first_byte, data FROM manifest_page WHERE version = ? AND first_byte <= ?
       ORDER BY first_byte DESC LIMIT 1`,
      version,
      offset,
    ));
  if (!row) throw new StorageError("corrupt", "read file", `no page of ${entry.path} holds byte ${offset}`);
  return { firstChunk: row.first_chunk, firstByte: row.first_byte, entries: decodeManifest(row.data) };
}
