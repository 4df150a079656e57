import type { DriveReader, DriveWriter } from "@cairn/drive";
import type { Env } from "@cairn/env";
import type { MetadataService } from "@cairn/protocol";

export interface S3Options {
  readonly env: Env;
  readonly metadata: MetadataService;
  readonly writer: DriveWriter;
  readonly reader: DriveReader;
  /** What clients sign as region, and are told as location. */
  readonly region: string;
  /** Hosts below which the first name is a bucket. */
  readonly domains: readonly string[];
}
