// Counters as Prometheus reads them: the text exposition format, version 0.0.4. Pure.

/** One value; `labels` holds only names and values that telltale itself chose, never a stranger's text. */
export type MetricValue = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** A metric with all its values. */
export type Metric = {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  readonly values: readonly MetricValue[];
};

/** What the format wants as Content-Type. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The metrics as text, one value a line. */
export function renderMetrics(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, help, kind, values } of metrics) {
    lines.push(
      `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}`,
      `# TYPE ${name} ${kind}`,
    );
    for (const { labels, value } of values) lines.push(`${name}${labelText(labels)} ${numberText(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const safe = value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
    return `${name}="${safe}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
