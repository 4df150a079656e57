/** What a process is told to be. Travels from the supervisor to its children, or comes from the command line. */
export type RoleConfig = MetadataRoleConfig | NodeRoleConfig | GatewayRoleConfig;

interface ListenConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

interface DoorConfig {
  /** Folders of disks of storage nodes on this machine, from which chunks are read without the way through the node. */
  readonly localDisks: readonly string[];
  /** Hosts below which the first name is a bucket. */
  readonly s3Domains: readonly string[];
}

export interface MetadataRoleConfig extends ListenConfig, DoorConfig {
  readonly role: "metadata";
  /** The S3 door: its port (0: any free one), or its URL where other processes answer it. */
  readonly s3: { readonly port: number } | { readonly url: string };
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

export interface GatewayRoleConfig extends DoorConfig {
  readonly role: "gateway";
  /** Where REST and S3 listen (ports 0: any free one), or the URL whose connections the supervisor hands over, S3 only. */
  readonly at: (ListenConfig & { readonly s3Port: number }) | { readonly s3Url: string };
  /** Name in the log and in the list of processes. */
  readonly name: string;
  /** Folder of the gateway's credential. */
  readonly folder: string;
  readonly metadataUrl: string;
  readonly joinToken?: string | undefined;
}

/** What a supervisor says with a connection that it hands over to a gateway. */
export const handedConnection = "connection";

/** What a process tells when it serves. */
export interface RoleReady {
  readonly url: string;
  /** Absent for a process that listens nowhere itself. */
  readonly port?: number;
  readonly name: string;
  /** For the machine's owner: made when the one that was known opens nothing. */
  readonly accessToken?: string | undefined;
  readonly joinToken?: string | undefined;
  /** The S3 door, of a process that has one. */
  readonly s3?: { readonly url: string; readonly port?: number } | undefined;
}

/** A process in its role. */
export interface RunningRole extends AsyncDisposable {
  readonly ready: RoleReady;
}
