/** Errors of the S3 API: HTTP status and message of each code (S3 API reference, "List of error codes"). */
const errors = {
  AccessControlListNotSupported: [400, "The bucket does not allow lists: everything is its owner's."],
  AccessDenied: [403, "Access Denied."],
  AccessForbidden: [403, "The CORS rules of the bucket do not allow this."],
  AuthorizationHeaderMalformed: [400, "The authorization header is malformed."],
  AuthorizationQueryParametersError: [400, "The query parameters of the signature are malformed."],
  BadDigest: [400, "The checksum that was sent is not that of the bytes that came."],
  BadRequest: [400, "The request is not valid."],
  BucketAlreadyExists: [409, "A bucket of this name exists."],
  BucketAlreadyOwnedByYou: [409, "You have a bucket of this name already."],
  BucketNotEmpty: [409, "The bucket is not empty."],
  ConditionalRequestConflict: [409, "Another request changed the object at the same time; try again."],
  EntityTooLarge: [400, "The object or form is larger than allowed."],
  EntityTooSmall: [400, "The part, or the form, is smaller than allowed."],
  ExpiredToken: [400, "The access key has expired."],
  IllegalLocationConstraintException: [400, "The location constraint is not that of this server."],
  IncompleteBody: [400, "Fewer bytes came than were announced."],
  InternalError: [500, "The server met an error; try again."],
  IncorrectNumberOfFilesInPostRequest: [400, "A form has one field named file."],
  InvalidAccessKeyId: [403, "The access key does not exist."],
  InvalidArgument: [400, "An argument is not valid."],
  InvalidBucketAclWithObjectOwnership: [400, "A bucket whose lists do not count cannot have a public one."],
  InvalidBucketName: [400, "The bucket name is not valid."],
  InvalidBucketState: [409, "The state of the bucket does not allow this."],
  InvalidChunkSizeError: [403, "A chunk of the body has a size that is not allowed."],
  InvalidDigest: [400, "The Content-MD5 or checksum that was sent is not valid."],
  InvalidObjectState: [403, "The state of the object does not allow this."],
  InvalidPart: [400, "A part was not found, or its tag is another one."],
  InvalidPartNumber: [416, "The object has no part of this number."],
  InvalidPartOrder: [400, "The parts are not listed in ascending order."],
  InvalidPolicyDocument: [400, "The policy document is not valid."],
  InvalidRange: [416, "The range is not within the object."],
  InvalidRequest: [400, "The request is not valid."],
  InvalidTag: [400, "A tag is not valid."],
  InvalidURI: [400, "The path of the request cannot be read."],
  KeyTooLongError: [400, "The key is longer than 1024 bytes."],
  MalformedACLError: [400, "The access control list is not valid."],
  MalformedPOSTRequest: [400, "The body is not a well-formed form."],
  MalformedPolicy: [400, "The bucket policy is not valid."],
  MalformedTrailerError: [400, "The trailer of the body is malformed."],
  MalformedXML: [400, "The XML is not well-formed, or not what this request takes."],
  MaxMessageLengthExceeded: [400, "The request is too large."],
  MaxPostPreDataLengthExceededError: [400, "The fields of the form are larger than allowed."],
  MetadataTooLarge: [400, "The metadata headers are larger than allowed."],
  MethodNotAllowed: [405, "This method is not allowed on this resource."],
  MissingContentLength: [411, "The length of the body must be given."],
  MissingRequestBodyError: [400, "The request has no body."],
  MissingSecurityHeader: [400, "A header that this request needs is missing."],
  NoSuchBucket: [404, "The bucket does not exist."],
  NoSuchBucketPolicy: [404, "The bucket has no policy."],
  NoSuchCORSConfiguration: [404, "The bucket has no CORS configuration."],
  NoSuchKey: [404, "The key does not exist."],
  NoSuchLifecycleConfiguration: [404, "The bucket has no lifecycle configuration."],
  NoSuchObjectLockConfiguration: [404, "The object has no lock configuration."],
  NoSuchPublicAccessBlockConfiguration: [404, "The bucket has no public access block."],
  NoSuchTagSet: [404, "The bucket has no tags."],
  NoSuchUpload: [404, "The upload does not exist; it may have been aborted or completed."],
  NoSuchVersion: [404, "The version does not exist."],
  NotImplemented: [501, "This server does not do this."],
  NotModified: [304, "Not Modified."],
  ObjectLockConfigurationNotFoundError: [404, "The bucket has no object lock configuration."],
  OperationAborted: [409, "Another change of this resource is under way; try again."],
  OwnershipControlsNotFoundError: [404, "The bucket has no ownership controls."],
  PreconditionFailed: [412, "A condition of the request does not hold."],
  QuotaExceeded: [403, "The quota of the bucket is used up."],
  RequestTimeTooSkewed: [403, "The time of the request and that of the server are too far apart."],
  RequestTimeout: [400, "The body came too slowly."],
  ServerSideEncryptionConfigurationNotFoundError: [404, "The bucket has no encryption configuration."],
  ServiceUnavailable: [503, "The server cannot do this now; try again."],
  SignatureDoesNotMatch: [403, "The signature is not that of this request and key."],
  SlowDown: [503, "Too many requests at once; try again."],
  UnexpectedContent: [400, "This request takes no body."],
  UnresolvableGrantByEmailAddress: [400, "There is no such e-mail address."],
  XAmzContentSHA256Mismatch: [400, "The SHA-256 that was signed is not that of the bytes that came."],
} as const;

export type S3ErrorCode = keyof typeof errors;

/** What an answer tells besides code and message, as elements of the error document. */
export type S3ErrorDetails = Readonly<Record<string, string>>;

/** A refusal as S3 clients understand it. */
export class S3Error extends Error {
  readonly code: S3ErrorCode;
  readonly status: number;
  readonly details: S3ErrorDetails;
  /** Of the answer, besides those of every refusal. */
  readonly headers: Readonly<Record<string, string>>;

  /** `message` absent: that of the code. */
  constructor(
    code: S3ErrorCode,
    message?: string,
    details: S3ErrorDetails = {},
    { headers = {}, ...options }: ErrorOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message ?? errors[code][1], options);
    this.headers = headers;
    this.name = "S3Error";
    this.code = code;
    this.status = errors[code][0];
    this.details = details;
  }
}
