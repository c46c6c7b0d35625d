// Reads the one line that a client of the control socket may send. Pure; the line is a stranger's.
import { REQUESTS, type Request } from "./types.ts";

export type Asked = { readonly do: Request; readonly http: boolean } | { readonly fault: string };

/** What the line asks for: `{"do":"status"}`, or `GET /metrics HTTP/1.1` from a Prometheus. */
export function parseRequest(line: string): Asked {
  if (/^GET \/metrics HTTP\/1\.[01]\r?$/.test(line)) return { do: "metrics", http: true };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { fault: "is not JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { fault: "is no object" };
  const keys = Object.keys(value);
  const asked = (value as Record<string, unknown>)["do"];
  const request = REQUESTS.find((known) => known === asked);
  if (request === undefined) return { fault: `asks for none of ${REQUESTS.join(", ")}` };
  if (keys.length !== 1) return { fault: "holds more than do" };
  return { do: request, http: false };
}
