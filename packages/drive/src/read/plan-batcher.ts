import { type DataPathService, limits, type PlanRequest, type ReadPlan, succeeded } from "@cairn/protocol";
import { Batcher } from "../nodes/batcher.ts";

const batchesInFlightMax = 2;

/** Plans of reads that begin at the same time leave in one call; a lonely one goes by itself. */
export class PlanBatcher {
  readonly #batcher: Batcher<PlanRequest, ReadPlan>;

  constructor(metadata: DataPathService) {
    this.#batcher = new Batcher({
      operation: "read file",
      inFlightMax: batchesInFlightMax,
      itemsMax: limits.plansMax,
      send: async (requests) => {
        const [first, ...rest] = requests;
        if (!first || rest.length > 0) return metadata.planReads(requests);
        return [succeeded(await metadata.planRead(first.address, first.version, first.offset))];
      },
    });
  }

  /** Throws as DataPathService.planRead. */
  plan(request: PlanRequest, signal: AbortSignal | undefined): Promise<ReadPlan> {
    return this.#batcher.add(request, signal);
  }
}
