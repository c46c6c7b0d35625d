// How the logrotate face says what is wrong in a configuration or state file: logrotate's phrase first, since monitoring looks
// for it after `error: FILE:LINE`, then our own words, what happens meanwhile, and the mend.
import type { ConfigFault } from "../core/errors.ts";
import { showable } from "../core/hostile.ts";

// What logrotate calls the value of a directive that it refuses.
const VALUES: Readonly<Record<string, string>> = {
  rotate: "rotation count",
  start: "start count",
  minage: "minimum age",
  maxage: "maximum age",
  shredcycles: "shred cycles",
  size: "size",
  minsize: "size",
  maxsize: "size",
  weekly: "weekly directive",
  mail: "mail address",
};

// How our words begin → what logrotate says instead.
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/^unknown option$/, "unknown option 'KEY'"],
  [/^may not appear/, "KEY may not appear"],
  [/^unknown (user|group) "(.*)"$/, "unknown $1 '$2'"],
  [/^has extra arguments/, "extra arguments for KEY"],
  [/^is not properly separated/, "keyword 'KEY' not properly separated"],
  [/^wants a user and a group, found nothing/, "no user for KEY"],
  [/^wants a user and a group/, "no group for KEY"],
];

const CONSEQUENCES: Readonly<Record<string, string>> = {
  "stanza skipped": "found error, skipping the stanza",
  "rest of the file skipped": "found error in file, skipping the rest of it",
  "file skipped": "found error in file, skipping",
  "line ignored": "ignoring line",
};

/** One fault as text, without the leading `error: `. */
export function wordsOfFault(fault: ConfigFault): string {
  const { file, line, key, message, consequence, mend } = fault;
  const place = line > 0 ? `${file}:${line} ` : message.includes(file) ? "" : `${file}: `;
  const after = consequence === undefined ? "" : ` -- ${CONSEQUENCES[consequence] ?? consequence}`;
  const untrusted = consequence === "file skipped" && /^(is|belongs) /.test(message);
  const text = showable(
    untrusted ? `Ignoring ${file} because it ${message}` : `${place}${phrase(key, message)}${after}`,
  );
  return mend === "" ? text : `${text}\n    mend: ${showable(mend)}`;
}

/** One fault of the state file. */
export function wordsOfStateFault(fault: ConfigFault): string {
  if (fault.line === 0) return wordsOfFault(fault);
  const { file, line, message, consequence, mend } = fault;
  const where = line === 1 ? "top line" : `line ${line}`;
  return `${showable(`bad ${where} in state file ${file}: ${message} -- ${consequence}`)}\n    mend: ${showable(mend)}`;
}

function phrase(key: string, message: string): string {
  if (key === "") return message;
  const known = PHRASES.find(([ours]) => ours.test(message));
  if (known !== undefined) return message.replace(known[0], known[1]).replaceAll("KEY", key);
  const found = /found (nothing|-?\d+|"(?:[^"\\]|\\.)*")$/.exec(message)?.[1];
  const theirs =
    found === "nothing"
      ? `argument expected after ${key}`
      : found === undefined || !Object.hasOwn(VALUES, key)
        ? null
        : refused(VALUES[key]!, found.startsWith('"') ? (JSON.parse(found) as string) : found);
  return theirs === null ? `${key}: ${message}` : `${theirs}: ${message}`;
}

function refused(name: string, value: string): string {
  const unit = name === "size" ? /^\d+([^\d\s])$/.exec(value)?.[1] : undefined;
  return unit === undefined ? `bad ${name} '${value}'` : `unknown unit '${unit}'`;
}
