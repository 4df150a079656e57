import type { ChecksumAlgorithm } from "../checksum/checksum-algorithm.ts";
import type { Owner } from "./access-control-policy.ts";
import { writeOwner } from "./access-control-policy.ts";
import type { ChecksumType } from "./checksum-elements.ts";
import { escapeXml, leaf, nest, urlEncode, xmlTime } from "./xml-text.ts";

/** What every list of keys tells of its request. `delimiter` absent: none was given. */
export interface ListScope {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter?: string;
  /** As asked for and capped. */
  readonly max: number;
  /** `encoding-type=url`: keys, prefixes, delimiter and key markers are URL-encoded. */
  readonly urlEncoded: boolean;
}

/** An object in a list; `etag` is bare, `size` in bytes. */
export interface ListedObject {
  readonly key: string;
  readonly lastModifiedMs: number;
  readonly etag: string;
  readonly size: number;
  readonly storageClass?: string;
  readonly owner?: Owner;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: ChecksumType;
}

/** How keys are written in a list. */
export type KeyText = (key: string) => string;

/** Keys by the encoding that the request asked for, ready to stand in an element. */
export function keyTextOf({ urlEncoded }: ListScope): KeyText {
  return urlEncoded ? urlEncode : escapeXml;
}

/** A key element, or nothing where the key is absent. */
export function keyLeaf(name: string, key: string | undefined, keyText: KeyText): string {
  return key === undefined ? "" : `<${name}>${keyText(key)}</${name}>`;
}

/** What stands behind the key of an object, the same in every list. One template: a page has a thousand of them. */
export function objectFields(it: ListedObject): string {
  const fields = `<LastModified>${xmlTime(it.lastModifiedMs)}</LastModified><ETag>&quot;${escapeXml(it.etag)}&quot;</ETag>`;
  const checksum =
    it.checksumAlgorithm === undefined
      ? ""
      : leaf("ChecksumAlgorithm", it.checksumAlgorithm) + leaf("ChecksumType", it.checksumType);
  return `${fields}${checksum}<Size>${it.size}</Size>${ownerElement(it.owner)}<StorageClass>${it.storageClass ?? "STANDARD"}</StorageClass>`;
}

/** The owner, or nothing where the request did not ask for it. */
export function ownerElement(owner: Owner | undefined): string {
  return owner === undefined ? "" : nest("Owner", writeOwner(owner));
}

/** The prefixes that a delimiter rolls keys up into. */
export function commonPrefixes(prefixes: readonly string[], keyText: KeyText): string {
  let elements = "";
  for (const prefix of prefixes) elements += `<CommonPrefixes><Prefix>${keyText(prefix)}</Prefix></CommonPrefixes>`;
  return elements;
}

/** `EncodingType`, where there is one. */
export function encodingType({ urlEncoded }: ListScope): string {
  return leaf("EncodingType", urlEncoded ? "url" : undefined);
}
