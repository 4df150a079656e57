import type { BucketDocument } from "../bucket-documents.ts";
import type { ObjectOwnership } from "../xml/ownership-controls.ts";
import type { PublicAccessBlock } from "../xml/public-access-block.ts";

/** What a bucket refuses whatever its policy and its list say. */
export const publicAccessBlockDocument: BucketDocument<PublicAccessBlock> = { name: "s3.public-access-block" };

/** Whether lists mean anything in a bucket: with BucketOwnerEnforced they do not. */
export const ownershipDocument: BucketDocument<ObjectOwnership> = { name: "s3.ownership" };
