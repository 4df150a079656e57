import type { Counter, Gauge, Histogram, Labels, Metrics } from "@cairn/env";
import client from "prom-client";

/** Prometheus measurements of one process, with those of Node (memory, event-loop delay, processor) beside ours. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new client.Registry();

  constructor() {
    client.collectDefaultMetrics({ register: this.#registry, prefix: "cairn_" });
  }

  counter(name: string, help: string, labels: readonly string[] = []): Counter {
    const counter = this.#once(
      name,
      () => new client.Counter({ name, help, labelNames: [...labels], registers: [this.#registry] }),
    );
    return { add: (amount: number, values: Labels = {}) => counter.inc(values, amount) };
  }

  gauge(name: string, help: string, labels: readonly string[] = []): Gauge {
    const gauge = this.#once(
      name,
      () => new client.Gauge({ name, help, labelNames: [...labels], registers: [this.#registry] }),
    );
    return { set: (value: number, values: Labels = {}) => gauge.set(values, value) };
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: readonly string[] = []): Histogram {
    const histogram = this.#once(
      name,
      () =>
        new client.Histogram({
          name,
          help,
          buckets: [...buckets],
          labelNames: [...labels],
          registers: [this.#registry],
        }),
    );
    return { observe: (value: number, values: Labels = {}) => histogram.observe(values, value) };
  }

  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  #once<Made>(name: string, make: () => Made): Made {
    return (this.#registry.getSingleMetric(name) as Made | undefined) ?? make();
  }
}
