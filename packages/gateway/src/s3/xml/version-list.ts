import type { Owner } from "./access-control-policy.ts";
import {
  commonPrefixes,
  encodingType,
  type KeyText,
  keyLeaf,
  keyTextOf,
  type ListedObject,
  type ListScope,
  objectFields,
  ownerElement,
} from "./list-page.ts";
import { xmlDocument } from "./xml-document.ts";
import { escapeXml, leaf, xmlTime } from "./xml-text.ts";

/** A version of an object in a list. */
export interface ListedVersion extends ListedObject {
  readonly deleteMarker: false;
  readonly versionId: string;
  readonly latest: boolean;
}

/** A delete marker in a list. */
export interface ListedDeleteMarker {
  readonly deleteMarker: true;
  readonly key: string;
  readonly versionId: string;
  readonly latest: boolean;
  readonly lastModifiedMs: number;
  readonly owner?: Owner;
}

/** A page of ListObjectVersions: versions and markers in the order of their keys, the newest of a key first. */
export interface VersionList {
  readonly scope: ListScope;
  readonly versions: readonly (ListedVersion | ListedDeleteMarker)[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
  readonly keyMarker: string;
  readonly versionIdMarker: string;
  readonly nextKeyMarker?: string;
  readonly nextVersionIdMarker?: string;
}

/** The answer of ListObjectVersions. */
export function writeVersionList(list: VersionList): string {
  const { scope } = list;
  const keyText = keyTextOf(scope);
  let elements = "";
  for (const version of list.versions) elements += versionElement(version, keyText);
  return xmlDocument(
    "ListVersionsResult",
    leaf("Name", scope.bucket) +
      keyLeaf("Prefix", scope.prefix, keyText) +
      keyLeaf("KeyMarker", list.keyMarker, keyText) +
      leaf("VersionIdMarker", list.versionIdMarker) +
      keyLeaf("NextKeyMarker", list.nextKeyMarker, keyText) +
      leaf("NextVersionIdMarker", list.nextVersionIdMarker) +
      leaf("MaxKeys", scope.max) +
      keyLeaf("Delimiter", scope.delimiter, keyText) +
      encodingType(scope) +
      leaf("IsTruncated", list.truncated) +
      elements +
      commonPrefixes(list.commonPrefixes, keyText),
  );
}

function versionElement(it: ListedVersion | ListedDeleteMarker, keyText: KeyText): string {
  const head = `<Key>${keyText(it.key)}</Key><VersionId>${escapeXml(it.versionId)}</VersionId><IsLatest>${it.latest}</IsLatest>`;
  if (!it.deleteMarker) return `<Version>${head}${objectFields(it)}</Version>`;
  const time = `<LastModified>${xmlTime(it.lastModifiedMs)}</LastModified>`;
  return `<DeleteMarker>${head}${time}${ownerElement(it.owner)}</DeleteMarker>`;
}
