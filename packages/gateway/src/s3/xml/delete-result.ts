import { xmlDocument } from "./xml-document.ts";
import { leaf, nest } from "./xml-text.ts";

/** An object that DeleteObjects deleted, or for which it wrote a delete marker. */
export interface DeletedObject {
  readonly key: string;
  readonly versionId?: string;
  readonly deleteMarker?: boolean;
  readonly deleteMarkerVersionId?: string;
}

/** An object that DeleteObjects could not delete; `code` is an S3 error code. */
export interface DeleteFailure {
  readonly key: string;
  readonly versionId?: string;
  readonly code: string;
  readonly message: string;
}

/** The answer of DeleteObjects. The caller leaves out `deleted` for a quiet request. */
export function writeDeleteResult(deleted: readonly DeletedObject[], failures: readonly DeleteFailure[]): string {
  return xmlDocument("DeleteResult", deleted.map(deletedElement).join("") + failures.map(failureElement).join(""));
}

function deletedElement(it: DeletedObject): string {
  return nest(
    "Deleted",
    leaf("Key", it.key) +
      leaf("VersionId", it.versionId) +
      leaf("DeleteMarker", it.deleteMarker) +
      leaf("DeleteMarkerVersionId", it.deleteMarkerVersionId),
  );
}

function failureElement(it: DeleteFailure): string {
  return nest(
    "Error",
    leaf("Key", it.key) + leaf("VersionId", it.versionId) + leaf("Code", it.code) + leaf("Message", it.message),
  );
}
