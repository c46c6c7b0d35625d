// Which logs the configuration names: telltale's own key first, then logcheck's lists, then those that every host has.
import { existsSync } from "node:fs";
import { readLogcheckConfig } from "../check/logfiles.ts";
import type { Config } from "../config/types.ts";

// What syslog daemons write on Debian and on Red Hat's relatives, for a host without logcheck's lists.
const USUAL_LOGS = ["/var/log/syslog", "/var/log/auth.log", "/var/log/messages", "/var/log/secure"];

/** @param listed logcheck's lists, where they were read already */
export function namedLogs(config: Config, listed?: readonly string[]): readonly string[] {
  if (config.check.logs.length > 0) return config.check.logs;
  const lists = listed ?? readLogcheckConfig(config.check.rules).logfiles;
  return lists.length > 0 ? lists : USUAL_LOGS.filter((path) => existsSync(path));
}
