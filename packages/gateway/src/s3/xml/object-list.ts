import {
  commonPrefixes,
  encodingType,
  type KeyText,
  keyLeaf,
  keyTextOf,
  type ListedObject,
  type ListScope,
  objectFields,
} from "./list-page.ts";
import { xmlDocument } from "./xml-document.ts";
import { leaf } from "./xml-text.ts";

/** One page of objects and of prefixes, in the order of their keys. */
export interface ObjectPage {
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
  readonly truncated: boolean;
}

/** A page of ListObjects. `nextMarker`: only where the page is truncated and there is a delimiter. */
export interface ObjectListV1 extends ObjectPage {
  readonly scope: ListScope;
  readonly marker: string;
  readonly nextMarker?: string;
}

/** A page of ListObjectsV2; the tokens are written as they are. */
export interface ObjectListV2 extends ObjectPage {
  readonly scope: ListScope;
  readonly startAfter?: string;
  readonly continuationToken?: string;
  readonly nextContinuationToken?: string;
}

/** The answer of ListObjects. */
export function writeObjectListV1(list: ObjectListV1): string {
  const { scope } = list;
  const keyText = keyTextOf(scope);
  return xmlDocument(
    "ListBucketResult",
    leaf("Name", scope.bucket) +
      keyLeaf("Prefix", scope.prefix, keyText) +
      keyLeaf("Marker", list.marker, keyText) +
      keyLeaf("NextMarker", list.nextMarker, keyText) +
      leaf("MaxKeys", scope.max) +
      keyLeaf("Delimiter", scope.delimiter, keyText) +
      encodingType(scope) +
      leaf("IsTruncated", list.truncated) +
      contents(list, keyText),
  );
}

/** The answer of ListObjectsV2. */
export function writeObjectListV2(list: ObjectListV2): string {
  const { scope } = list;
  const keyText = keyTextOf(scope);
  return xmlDocument(
    "ListBucketResult",
    leaf("Name", scope.bucket) +
      keyLeaf("Prefix", scope.prefix, keyText) +
      leaf("ContinuationToken", list.continuationToken) +
      leaf("NextContinuationToken", list.nextContinuationToken) +
      keyLeaf("StartAfter", list.startAfter, keyText) +
      leaf("KeyCount", list.objects.length + list.commonPrefixes.length) +
      leaf("MaxKeys", scope.max) +
      keyLeaf("Delimiter", scope.delimiter, keyText) +
      encodingType(scope) +
      leaf("IsTruncated", list.truncated) +
      contents(list, keyText),
  );
}

function contents(page: ObjectPage, keyText: KeyText): string {
  let elements = "";
  for (const object of page.objects) {
    elements += `<Contents><Key>${keyText(object.key)}</Key>${objectFields(object)}</Contents>`;
  }
  return elements + commonPrefixes(page.commonPrefixes, keyText);
}
