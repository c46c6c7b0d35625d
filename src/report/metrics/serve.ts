// Answers a Prometheus on this host. Loopback only, one path, no state that a request could change; a web page that
// makes a browser ask by another name (DNS rebinding) is turned away.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { MissingPartError } from "../../core/errors.ts";
import { METRICS_TYPE } from "./render.ts";

// A Prometheus asks on one connection every few seconds.
const MAX_CONNECTIONS = 8;

const REQUEST_TIMEOUT_MS = 5_000;

export type MetricsServer = { readonly port: number; close(): Promise<void> };

/**
 * Serves `GET /metrics` on 127.0.0.1.
 * @param port 0 lets the kernel choose one
 * @param text makes the answer, anew for each request
 * @throws MissingPartError when the port cannot be had
 */
export async function serveMetrics(port: number, text: () => Promise<string>): Promise<MetricsServer> {
  const server: Server = createServer((request, response) => {
    const name = (request.headers.host ?? "").replace(/:\d+$/, "");
    const known = ["127.0.0.1", "localhost", "[::1]"].includes(name);
    const status = !known
      ? 403
      : request.url !== "/metrics"
        ? 404
        : /^(?:GET|HEAD)$/.test(request.method!)
          ? 200
          : 405;
    const answer = (code: number, body: string): void => {
      response.writeHead(code, { "Content-Type": METRICS_TYPE, "X-Content-Type-Options": "nosniff" });
      response.end(body);
    };
    if (status !== 200) return answer(status, `${status}\n`);
    text().then(
      (body) => answer(200, body),
      // A Prometheus shows a target that answers so as down; what is wrong has an event of its own.
      () => answer(500, "500\n"),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const mend = `choose another port, or see who has it: ss -ltnp 'sport = :${port}'`;
      reject(new MissingPartError("report", `metrics: 127.0.0.1:${port}: ${error.code}`, mend, error));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
