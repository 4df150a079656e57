import { expect, test } from "vitest";
import { PrometheusMetrics } from "./metrics.ts";

test("what was counted, set and observed is exposed in the text format of Prometheus", async () => {
  const metrics = new PrometheusMetrics();
  const counter = metrics.counter("cairn_test_total", "Things done.", ["kind"]);
  counter.add(1, { kind: "a" });
  counter.add(2, { kind: "a" });
  counter.add(5, { kind: 'with "quotes"\n' });
  metrics.gauge("cairn_test_level", "How high.").set(7);
  metrics.gauge("cairn_test_level", "How high.").set(3);
  const histogram = metrics.histogram("cairn_test_seconds", "How long.", [0.1, 1]);
  for (const seconds of [0.05, 0.5, 5]) histogram.observe(seconds);
  const lines = (await metrics.expose()).split("\n");
  expect(lines).toEqual(
    expect.arrayContaining([
      "# HELP cairn_test_total Things done.",
      "# TYPE cairn_test_total counter",
      'cairn_test_total{kind="a"} 3',
      'cairn_test_total{kind="with \\"quotes\\"\\n"} 5',
      "cairn_test_level 3",
      'cairn_test_seconds_bucket{le="0.1"} 1',
      'cairn_test_seconds_bucket{le="1"} 2',
      'cairn_test_seconds_bucket{le="+Inf"} 3',
      "cairn_test_seconds_count 3",
    ]),
  );
});

test("asking for a measurement twice gives the same one", async () => {
  const metrics = new PrometheusMetrics();
  metrics.counter("cairn_test_total", "Things done.").add(1);
  metrics.counter("cairn_test_total", "Things done.").add(2);
  metrics.histogram("cairn_test_seconds", "How long.", [1]).observe(0.5);
  metrics.histogram("cairn_test_seconds", "How long.", [1]).observe(0.5);
  const text = await metrics.expose();
  expect(text).toContain("\ncairn_test_total 3\n");
  expect(text).toContain("\ncairn_test_seconds_count 2\n");
});

test("two sets of measurements in one process do not mix, and each shows the process itself", async () => {
  const [one, other] = [new PrometheusMetrics(), new PrometheusMetrics()];
  one.counter("cairn_test_total", "Things done.").add(1);
  expect(await other.expose()).not.toContain("cairn_test_total");
  expect(await other.expose()).toContain("cairn_process_resident_memory_bytes");
});
