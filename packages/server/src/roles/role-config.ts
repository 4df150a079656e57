/** What a process is told to be. Travels from the supervisor to its children, or comes from the command line. */
export type RoleConfig = MetadataRoleConfig | NodeRoleConfig | GatewayRoleConfig;

interface ListenConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

interface S3Config {
  /** Port of the S3 door; 0: any free one. */
  readonly s3Port: number;
}

export interface MetadataRoleConfig extends ListenConfig, S3Config {
  readonly role: "metadata";
  /** Folder of the database and the keys. */
  readonly folder: string;
  /** Copies of the default drive; counts at the first start. */
  readonly copies: number;
  /** The access token that this machine's owner has, if it is to be looked at; absent at a restart in mid-run. */
  readonly owner?: { readonly token: string | undefined } | undefined;
  /** True: make a join token and hand it back. */
  readonly wantJoinToken: boolean;
  /** Thresholds to change before anything else is done. */
  readonly settings?: Readonly<Record<string, number>> | undefined;
}

export interface NodeRoleConfig extends ListenConfig {
  readonly role: "node";
  /** The node's own folder. */
  readonly folder: string;
  /** One folder per disk. */
  readonly disks: readonly string[];
  readonly metadataUrl: string;
  readonly joinToken?: string | undefined;
  readonly node?: string | undefined;
  readonly advertisedUrl?: string | undefined;
  /** Where the host that is listened on stands for all addresses of the machine. */
  readonly advertisedHost?: string | undefined;
}

export interface GatewayRoleConfig extends ListenConfig, S3Config {
  readonly role: "gateway";
  /** Folder of the gateway's credential. */
  readonly folder: string;
  readonly metadataUrl: string;
  readonly joinToken?: string | undefined;
}

/** What a process tells when it serves. */
export interface RoleReady {
  readonly url: string;
  readonly port: number;
  readonly name: string;
  /** For the machine's owner: made when the one that was known opens nothing. */
  readonly accessToken?: string | undefined;
  readonly joinToken?: string | undefined;
  /** The S3 door, of a process that has one. */
  readonly s3?: { readonly url: string; readonly port: number } | undefined;
}

/** A process in its role. */
export interface RunningRole extends AsyncDisposable {
  readonly ready: RoleReady;
}
