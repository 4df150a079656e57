import type { DataPathService, GroupMember, NodeId } from "@cairn/protocol";

const nodesMax = 4096;

/** Which node is behind which URL, learnt from what passes by: a relay is asked for by name. */
export class NodeDirectory {
  readonly #nodes = new Map<string, NodeId>();

  nodeAt(url: string): NodeId | undefined {
    return this.#nodes.get(url);
  }

  /** The same service, listened to. */
  listenTo(service: DataPathService): DataPathService {
    return {
      ...service,
      openLease: async (drive, holder) => this.#heard(await service.openLease(drive, holder)),
      renewLease: async (lease) => this.#heard(await service.renewLease(lease)),
      planRead: async (address, version, offset) => this.#heard(await service.planRead(address, version, offset)),
      planReads: async (requests) => {
        const outcomes = await service.planReads(requests);
        for (const outcome of outcomes) if (outcome.ok) this.#heard(outcome.value);
        return outcomes;
      },
      groups: async (ids) => {
        const groups = await service.groups(ids);
        this.#heard({ groups });
        return groups;
      },
    };
  }

  #heard<Answer extends { readonly groups: readonly { readonly members: readonly GroupMember[] }[] }>(
    answer: Answer,
  ): Answer {
    for (const { members } of answer.groups) {
      for (const { url, node } of members) {
        if (this.#nodes.size >= nodesMax) this.#nodes.clear();
        this.#nodes.set(url, node);
      }
    }
    return answer;
  }
}
