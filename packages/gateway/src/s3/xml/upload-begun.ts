import { xmlDocument } from "./xml-document.ts";
import { leaf } from "./xml-text.ts";

/** The upload that CreateMultipartUpload began. */
export interface BegunUpload {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

/** The answer of CreateMultipartUpload. */
export function writeBegunUpload({ bucket, key, uploadId }: BegunUpload): string {
  return xmlDocument(
    "InitiateMultipartUploadResult",
    leaf("Bucket", bucket) + leaf("Key", key) + leaf("UploadId", uploadId),
  );
}
