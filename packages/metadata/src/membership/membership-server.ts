import type {
  HeartbeatReply,
  HeartbeatRequest,
  MembershipService,
  RegisterRequest,
  Registration,
} from "@cairn/protocol";
import type { HeartbeatDesk } from "./heartbeat-desk.ts";
import type { NodeRegistry } from "./node-registry.ts";

/** What the metadata server does for storage nodes. */
export class MembershipServer implements MembershipService {
  readonly #registry: NodeRegistry;
  readonly #heartbeats: HeartbeatDesk;

  constructor(registry: NodeRegistry, heartbeats: HeartbeatDesk) {
    this.#registry = registry;
    this.#heartbeats = heartbeats;
  }

  register(request: RegisterRequest): Promise<Registration> {
    return this.#registry.register(request);
  }

  heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply> {
    return this.#heartbeats.take(request);
  }
}
