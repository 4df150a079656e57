/**
 * The metadata schema, in the subset that SQLite and PostgreSQL share. `{blob}` stands for the engine's byte string,
 * `{clustered}` for keeping rows in the order of their primary key where the engine can (SQLite: WITHOUT ROWID): a third
 * less space for the chunks, which come in random order.
 * One list of migrations from the first version on: what is here has shipped and is never edited, only added to.
 * docs/formats/metadata.md explains each table. The table `cluster` (name, value) stands outside of the list, since it
 * holds the version of the schema: migrate makes it.
 *
 * Byte strings: ids are the 16 bytes of their ULID, hashes 32 bytes, names UTF-8. Times are wall clock ms.
 */
export const migrations: readonly (readonly string[])[] = [
  [
    `CREATE TABLE drive (
       id {blob} PRIMARY KEY, name TEXT NOT NULL UNIQUE, root {blob} NOT NULL, trash {blob} NOT NULL,
       chunk_bytes BIGINT NOT NULL, copies BIGINT NOT NULL, created_at BIGINT NOT NULL)`,

    // One tree. sort_name is the name of a file, or the name of a folder and '/': byte order is then S3 key order.
    // kind: 0 file, 1 folder. A drive's root and its trash have no parent. What is in the trash hangs below the trash root
    // with its id as sort_name. What was removed for good has no parent either and is named in detached.
    `CREATE TABLE entry (
       id {blob} PRIMARY KEY, drive {blob} NOT NULL, parent {blob} REFERENCES entry(id), sort_name {blob} NOT NULL,
       kind BIGINT NOT NULL, implicit BIGINT NOT NULL, current_version {blob}, size BIGINT NOT NULL, chunks BIGINT NOT NULL,
       etag {blob}, content_type TEXT, created_at BIGINT NOT NULL, modified_at BIGINT NOT NULL,
       trashed_at BIGINT, original_parent {blob}, original_name {blob}, original_path {blob})`,
    `CREATE UNIQUE INDEX entry_by_name ON entry (parent, sort_name)`,
    `CREATE INDEX entry_by_trash ON entry (drive, trashed_at, id) WHERE trashed_at IS NOT NULL`,
    `CREATE INDEX entry_by_modified ON entry (parent, modified_at, id)`,

    // Entries that were removed for good and whose rows, and all rows below, are still to be deleted.
    `CREATE TABLE detached (entry {blob} PRIMARY KEY REFERENCES entry(id))`,

    // Newest sequence first. state: 0 there, 1 doomed. A manifest of up to 128 entries stands inline; a longer one in manifest_page.
    `CREATE TABLE version (
       id {blob} PRIMARY KEY, entry {blob} NOT NULL REFERENCES entry(id), sequence BIGINT NOT NULL, state BIGINT NOT NULL,
       size BIGINT NOT NULL, chunks BIGINT NOT NULL, etag {blob} NOT NULL, created_at BIGINT NOT NULL,
       content_type TEXT, modified_at BIGINT NOT NULL, meta TEXT, manifest {blob})`,
    `CREATE UNIQUE INDEX version_by_entry ON version (entry, sequence)`,
    `CREATE TABLE manifest_page (
       version {blob} NOT NULL, page BIGINT NOT NULL, first_chunk BIGINT NOT NULL, first_byte BIGINT NOT NULL,
       data {blob} NOT NULL, PRIMARY KEY (version, page))`,
    `CREATE INDEX manifest_page_by_byte ON manifest_page (version, first_byte)`,

    // state: 0 live, 1 condemned, 2 lost. refs counts entries of manifests, of versions and of upload parts alike.
    // zero_at: since when none needs it.
    `CREATE TABLE chunk (
       hash {blob} PRIMARY KEY, generation BIGINT NOT NULL, grp BIGINT NOT NULL, length BIGINT NOT NULL,
       refs BIGINT NOT NULL, state BIGINT NOT NULL, zero_at BIGINT) {clustered}`,
    `CREATE INDEX chunk_by_group ON chunk (grp, hash)`,
    `CREATE INDEX chunk_by_zero ON chunk (zero_at) WHERE refs = 0 AND state = 0`,
    // Writes of chunks that nodes are to delete. A row stays at least until the lease of the generation is closed: it is
    // what keeps that write from being committed again.
    `CREATE TABLE condemned (hash {blob} NOT NULL, generation BIGINT NOT NULL, grp BIGINT NOT NULL, PRIMARY KEY (hash, generation))`,
    // disk 0: whichever member lacks it.
    `CREATE TABLE repair (grp BIGINT NOT NULL, hash {blob} NOT NULL, generation BIGINT NOT NULL, disk BIGINT NOT NULL,
       priority BIGINT NOT NULL, reason TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (grp, hash, generation, disk))`,
    `CREATE INDEX repair_by_priority ON repair (priority, created_at)`,
    // A version that was removed for good and still has references to give back, a thousand a transaction.
    `CREATE TABLE doomed (version {blob} PRIMARY KEY, cursor BIGINT NOT NULL)`,

    // state: 0 writable, 1 sealed, 2 draining.
    `CREATE TABLE grp (
       id BIGINT PRIMARY KEY, copies BIGINT NOT NULL, epoch BIGINT NOT NULL, state BIGINT NOT NULL,
       bytes BIGINT NOT NULL, records BIGINT NOT NULL, bytes_max BIGINT NOT NULL, created_at BIGINT NOT NULL, sealed_at BIGINT)`,
    `CREATE INDEX grp_by_state ON grp (state, copies)`,
    // state: 0 ok, 1 joining, 2 leaving.
    `CREATE TABLE grp_slot (
       grp BIGINT NOT NULL REFERENCES grp(id), slot BIGINT NOT NULL, disk BIGINT NOT NULL, state BIGINT NOT NULL,
       epoch BIGINT NOT NULL, PRIMARY KEY (grp, slot))`,
    `CREATE INDEX grp_slot_by_disk ON grp_slot (disk, grp)`,

    // A node's credential is stored as its SHA-256.
    `CREATE TABLE node (
       name TEXT PRIMARY KEY, credential_hash {blob} NOT NULL, receipt_key {blob} NOT NULL, url TEXT NOT NULL,
       boot_nonce TEXT NOT NULL, version TEXT NOT NULL, created_at BIGINT NOT NULL, registered_at BIGINT NOT NULL)`,
    `CREATE TABLE disk (
       id BIGINT PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, node TEXT NOT NULL REFERENCES node(name), state TEXT NOT NULL,
       total_bytes BIGINT NOT NULL, free_bytes BIGINT NOT NULL, chunks BIGINT NOT NULL, chunk_bytes BIGINT NOT NULL)`,

    // state: 0 open, 1 closed; closed is final.
    `CREATE TABLE lease (id BIGINT PRIMARY KEY, drive {blob} NOT NULL, holder TEXT NOT NULL, state BIGINT NOT NULL, expires_at BIGINT NOT NULL)`,
    `CREATE INDEX lease_by_state ON lease (state, expires_at)`,
    `CREATE TABLE job_lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch BIGINT NOT NULL, expires_at BIGINT NOT NULL)`,
    `CREATE TABLE commit_log (id {blob} PRIMARY KEY, result TEXT NOT NULL, at BIGINT NOT NULL)`,
    `CREATE INDEX commit_log_by_time ON commit_log (at)`,

    // state: 0 open, 1 doomed: its parts' references are still to be given back. revision rises with every part.
    `CREATE TABLE upload (
       id {blob} PRIMARY KEY, target TEXT NOT NULL, state BIGINT NOT NULL, revision BIGINT NOT NULL,
       created_at BIGINT NOT NULL, touched_at BIGINT NOT NULL)`,
    `CREATE INDEX upload_by_touched ON upload (state, touched_at)`,
    `CREATE TABLE upload_part (
       upload {blob} NOT NULL REFERENCES upload(id), part BIGINT NOT NULL, etag {blob} NOT NULL, size BIGINT NOT NULL,
       chunks BIGINT NOT NULL, manifest {blob} NOT NULL, PRIMARY KEY (upload, part))`,

    // Exact counters without one hot row: each writer adds to its shard, readers sum.
    // scope: a drive's id in hex, or `group:<id>` (files: chunks that are needed). Everything counts for as long as its
    // row is there, what is in the trash too; trashed counts what was put into the trash, not what hangs below it.
    `CREATE TABLE usage (
       scope TEXT NOT NULL, shard BIGINT NOT NULL, bytes BIGINT NOT NULL, files BIGINT NOT NULL, folders BIGINT NOT NULL,
       trashed BIGINT NOT NULL, versions BIGINT NOT NULL, PRIMARY KEY (scope, shard))`,
    `CREATE TABLE change (sequence BIGINT PRIMARY KEY, at BIGINT NOT NULL, body TEXT NOT NULL)`,

    `CREATE TABLE access_token (
       id TEXT PRIMARY KEY, secret_hash {blob} NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL,
       created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT)`,
    `CREATE TABLE join_token (secret_hash {blob} PRIMARY KEY, expires_at BIGINT NOT NULL)`,
  ],
  [
    // Thresholds that were changed; what is not here has its default.
    `CREATE TABLE setting (name TEXT PRIMARY KEY, value BIGINT NOT NULL, changed_at BIGINT NOT NULL)`,
    `CREATE TABLE event (
       sequence BIGINT PRIMARY KEY, at BIGINT NOT NULL, severity BIGINT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
       message TEXT NOT NULL, details TEXT NOT NULL)`,

    // state: running, paused, done, failed, cancelled. request and progress are JSON.
    `CREATE TABLE job (
       id BIGINT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, subject TEXT NOT NULL, request TEXT NOT NULL,
       progress TEXT NOT NULL, message TEXT NOT NULL, created_at BIGINT NOT NULL, finished_at BIGINT)`,
    `CREATE INDEX job_by_state ON job (state, id)`,

    // A group that gets a copy on another disk; one at a time for each group. from_disk 0: no disk leaves. cursor: the last
    // hash whose copy is known to be on to_disk. state: 0 copying, 1 comparing.
    `CREATE TABLE group_move (
       grp BIGINT PRIMARY KEY REFERENCES grp(id), from_disk BIGINT NOT NULL, to_disk BIGINT NOT NULL, reason TEXT NOT NULL,
       job BIGINT, state BIGINT NOT NULL, cursor {blob}, done_bytes BIGINT NOT NULL, total_bytes BIGINT NOT NULL,
       started_at BIGINT NOT NULL)`,
    // Copies that are no longer members and that a node is to drop: the decision stands here before the command is sent.
    `CREATE TABLE extra_copy (grp BIGINT NOT NULL, disk BIGINT NOT NULL, decided_at BIGINT NOT NULL, PRIMARY KEY (grp, disk))`,
    // What is known of each copy of a group: the digest it had when it was last compared with the chunks that versions need
    // (checked), and when its node last read all of it (verified).
    `CREATE TABLE group_copy (
       grp BIGINT NOT NULL, disk BIGINT NOT NULL, checked_digest TEXT, checked_at BIGINT, verified_at BIGINT,
       PRIMARY KEY (grp, disk))`,

    // duty: 0 active, 1 draining, 2 maintenance, 3 removed. duty_until: wall clock ms, for maintenance.
    `ALTER TABLE node ADD COLUMN duty BIGINT NOT NULL DEFAULT 0`,
    `ALTER TABLE node ADD COLUMN duty_until BIGINT`,
  ],
  [
    // How many bytes the chunks have that versions need, each chunk once, about every hour of the last week.
    `CREATE TABLE fill_sample (at BIGINT PRIMARY KEY, bytes BIGINT NOT NULL)`,
  ],
  [
    // The epoch of the group whose members all have told that they deleted the write; null while one has not.
    `ALTER TABLE condemned ADD COLUMN acked_epoch BIGINT`,
    `CREATE INDEX condemned_by_group ON condemned (grp, hash, generation)`,
    // Chunks that the last complete audit found with more references than manifests name. difference is below 0.
    `CREATE TABLE audit_finding (hash {blob} PRIMARY KEY, generation BIGINT NOT NULL, difference BIGINT NOT NULL)`,
  ],
  [
    // How many copies each chunk of the group was written with: `copies` may be raised later. Null: as many as `copies`.
    `ALTER TABLE grp ADD COLUMN copies_written BIGINT`,
  ],
  [
    // The ETag under which an object API wrote the current version; null: it came another way. What else such an API keeps
    // with a version stands in version.meta as JSON.
    `ALTER TABLE entry ADD COLUMN tag TEXT`,
    // off: overwriting and removing objects drops what was there; enabled: versions and the trash keep it.
    `ALTER TABLE drive ADD COLUMN versioning TEXT NOT NULL DEFAULT 'enabled'`,
    // Uploads of objects, to be listed in the order of their keys. Null: of a file.
    `ALTER TABLE upload ADD COLUMN drive {blob}`,
    `ALTER TABLE upload ADD COLUMN object_key {blob}`,
    `CREATE INDEX upload_by_key ON upload (drive, object_key, id) WHERE object_key IS NOT NULL`,
    // Which runs of chunks in upload_part make a part of an object: \`runs\` of them from \`first\` on. One that is put again
    // is written beside the old one first.
    `CREATE TABLE object_part (
       upload {blob} NOT NULL REFERENCES upload(id), number BIGINT NOT NULL, first BIGINT NOT NULL, runs BIGINT NOT NULL,
       size BIGINT NOT NULL, tag TEXT NOT NULL, checksum TEXT, modified_at BIGINT NOT NULL, PRIMARY KEY (upload, number))`,
    // What object APIs keep with a bucket, such as its tags; JSON.
    `CREATE TABLE drive_document (drive {blob} NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (drive, name))`,
    // Their secrets are derived from the cluster's key and stand nowhere.
    `CREATE TABLE access_key (
       id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, drives TEXT, created_at BIGINT NOT NULL,
       expires_at BIGINT, revoked_at BIGINT)`,
  ],
  [
    // Which buckets keep a document of this name.
    `CREATE INDEX drive_document_by_name ON drive_document (name, drive)`,
  ],
  [
    // Where events of buckets are posted, and what is still to be posted: written with the change that it tells of, gone
    // when it was posted. body: one record of an S3 event message.
    `CREATE TABLE webhook (name TEXT PRIMARY KEY, url TEXT NOT NULL, created_at BIGINT NOT NULL)`,
    `CREATE TABLE notification (
       webhook TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, body TEXT NOT NULL,
       PRIMARY KEY (webhook, sequence)) {clustered}`,
  ],
  [
    // 1: written by an object API while the bucket kept no versions; S3 calls it the null version.
    `ALTER TABLE version ADD COLUMN unversioned BIGINT NOT NULL DEFAULT 0`,
    // Files in the trash by where they lay, the newest first: what S3 shows as delete markers.
    `CREATE INDEX entry_by_original_path ON entry (drive, original_path, trashed_at, id) WHERE trashed_at IS NOT NULL`,
  ],
];
