import { S3Error } from "../s3-error.ts";
import { type ElementReader, readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { leaf, nest } from "./xml-text.ts";

/** An account as lists and documents name it. */
export interface Owner {
  readonly id: string;
  readonly displayName?: string;
}

/** Who is granted something: an account, or a group by its URI. */
export type Grantee = Owner | { readonly group: string };

export type Permission = "FULL_CONTROL" | "READ" | "WRITE" | "READ_ACP" | "WRITE_ACP";

/** One line of an access control list. */
export interface Grant {
  readonly grantee: Grantee;
  readonly permission: Permission;
}

/** The owner of a bucket or object and what others may do with it. */
export interface AccessControlPolicy {
  readonly owner?: Owner;
  readonly grants: readonly Grant[];
}

/** The canned lists that a bucket or object can have here. */
export type CannedAcl = "private" | "public-read";

/** The group of everybody, without a credential too. */
export const allUsersGroup = "http://acs.amazonaws.com/groups/global/AllUsers";

const permissions: readonly Permission[] = ["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"];
const grantsMax = 100;
const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance";

/** Reads an `AccessControlPolicy`. Throws MalformedXML, MalformedACLError and, for a grantee by e-mail, UnresolvableGrantByEmailAddress. */
export function readAccessControlPolicy(body: Uint8Array): AccessControlPolicy {
  return readDocument(
    body,
    "AccessControlPolicy",
    (fields) => {
      const owner = fields.childMaybe("Owner", readOwner);
      const grants = fields.child("AccessControlList", (list) => list.children("Grant", readGrant, { max: grantsMax }));
      return { ...(owner !== undefined && { owner }), grants };
    },
    { limits: smallDocumentLimits, refusal: "MalformedACLError" },
  );
}

/** The answer of GetBucketAcl and GetObjectAcl. */
export function writeAccessControlPolicy({ owner, grants }: AccessControlPolicy): string {
  const ownerElement = owner === undefined ? "" : nest("Owner", writeOwner(owner));
  return xmlDocument("AccessControlPolicy", ownerElement + nest("AccessControlList", grants.map(writeGrant).join("")));
}

/** The list that a canned one stands for. */
export function grantsOfCanned(acl: CannedAcl, owner: Owner): readonly Grant[] {
  const full: Grant = { grantee: owner, permission: "FULL_CONTROL" };
  return acl === "private" ? [full] : [full, { grantee: { group: allUsersGroup }, permission: "READ" }];
}

/** The canned list that grants exactly the same, if there is one: the owner may do all, and everybody read or nobody anything. */
export function cannedOf({ grants }: AccessControlPolicy, ownerId: string): CannedAcl | undefined {
  let ownerIn = false;
  let everybodyReads = false;
  for (const { grantee, permission } of grants) {
    if ("id" in grantee && grantee.id === ownerId && permission === "FULL_CONTROL") ownerIn = true;
    else if ("group" in grantee && grantee.group === allUsersGroup && permission === "READ") everybodyReads = true;
    else return undefined;
  }
  if (!ownerIn) return undefined;
  return everybodyReads ? "public-read" : "private";
}

/** ID and display name, as `Owner`, `Initiator` and grantees carry them. */
export function writeOwner({ id, displayName }: Owner): string {
  return leaf("ID", id) + leaf("DisplayName", displayName);
}

function readOwner(fields: ElementReader): Owner {
  const id = fields.text("ID");
  const displayName = fields.textMaybe("DisplayName");
  return { id, ...(displayName !== undefined && { displayName }) };
}

function readGrant(fields: ElementReader): Grant {
  return { grantee: fields.child("Grantee", readGrantee), permission: fields.oneOf("Permission", permissions) };
}

function readGrantee(fields: ElementReader): Grantee {
  if (fields.type === "AmazonCustomerByEmail" || fields.has("EmailAddress")) {
    throw new S3Error("UnresolvableGrantByEmailAddress");
  }
  if (fields.type === "Group") return { group: fields.text("URI") };
  if (fields.type === "CanonicalUser") return readOwner(fields);
  throw fields.malformed("<Grantee> needs an xsi:type of CanonicalUser or Group");
}

function writeGrant({ grantee, permission }: Grant): string {
  const [type, content] =
    "group" in grantee ? ["Group", leaf("URI", grantee.group)] : ["CanonicalUser", writeOwner(grantee)];
  const element = `<Grantee xmlns:xsi="${schemaInstance}" xsi:type="${type}">${content}</Grantee>`;
  return nest("Grant", element + leaf("Permission", permission));
}
