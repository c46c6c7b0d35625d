// Which files the warden opens for the listener: logs that the configuration names, and what rotation made of them.
import { closeSync, constants, fstatSync, lstatSync, openSync, realpathSync } from "node:fs";
import { basename, dirname, normalize } from "node:path";
import { generationName } from "../../sources/tail/generations.ts";
import { Refused } from "../../warden/server.ts";

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/**
 * Opens one of these logs, or a rotated generation beside it.
 * @param logs as the configuration names them
 * @throws Refused for any other path, and for what is no regular file; what the file system throws
 */
export function openNamedLog(path: string, logs: readonly string[]): number {
  if (!path.startsWith("/") || normalize(path) !== path || !isNamed(path, logs))
    throw new Refused(`${path} is no log that the configuration names`);
  const fd = openSync(path, FLAGS);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new Refused(`${path} is no regular file`);
}

function isNamed(path: string, logs: readonly string[]): boolean {
  return logs.some((log) => isLogOrGeneration(path, log)) || logs.some((log) => isBehind(path, log));
}

function isLogOrGeneration(path: string, log: string): boolean {
  if (path === log) return true;
  return dirname(path) === dirname(log) && generationName(basename(log), basename(path)) !== null;
}

// A link in the place of a log leads there if root made it, or if its owner owns what it leads to.
function isBehind(path: string, log: string): boolean {
  try {
    const link = lstatSync(log);
    if (!link.isSymbolicLink()) return false;
    const target = realpathSync(log);
    return isLogOrGeneration(path, target) && (link.uid === 0 || link.uid === lstatSync(target).uid);
  } catch {
    return false; // The log is not there, or leads nowhere.
  }
}
