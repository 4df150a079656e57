/** Measurements for Prometheus. Names start with `cairn_`; making one twice gives the same. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  /** Buckets are upper bounds in the unit of the name. */
  histogram(name: string, help: string, buckets: readonly number[], labels?: readonly string[]): Histogram;
  /** All measurements in the text format of Prometheus. */
  expose(): Promise<string>;
}

export type Labels = Readonly<Record<string, string>>;
export interface Counter {
  add(amount: number, labels?: Labels): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}
