// Lays the blocks in force out as a table, row by row: a hundred thousand of them must not wait for the last to be known. Every
// column but the reason has a width that no value exceeds, and a narrow terminal gets fewer of them.
import { formatDuration } from "../../core/duration.ts";
import { showable } from "../../core/hostile.ts";

/** What is shown of one block. */
export type BlockShown = {
  readonly target: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  /** ISO 8601, UTC. */
  readonly until: string;
  readonly because: string;
  readonly grade: string;
  readonly packetsStopped: number;
  readonly throttled?: boolean;
  readonly timesBefore: number;
};

export type BlocksTable = {
  readonly head: string;
  row(block: BlockShown): string;
  /** Whether something was left out for want of room, of the rows so far. */
  isShortened(): boolean;
};

type Column = {
  readonly title: string;
  readonly width: number;
  readonly isNumber?: boolean;
  readonly cell: (block: BlockShown) => string;
};

// Of a reason a few words, or it says nothing: columns that --json and `telltale explain` show as well go first.
const LEAST_REASON = 22;
// Whatever else is shown, there is something of it.
const LAST_REASON = 8;
const BETWEEN = "  ";
const DISPENSABLE = ["LEFT", "SINCE", "BEFORE", "EVIDENCE"];
const GRADE_WIDTH = 9;

/**
 * @param longestTarget length of the longest address or network among them
 * @param width columns of the terminal; null where nothing is to be cut
 */
export function blocksTable(longestTarget: number, width: number | null, now: Date): BlocksTable {
  const address: Column = {
    title: "ADDRESS",
    width: Math.max("ADDRESS".length, longestTarget),
    cell: ({ target }) => showable(target),
  };
  const rest = (time: Time): Column[] => [
    { title: "SINCE", width: time.width, cell: ({ since }) => time.write(new Date(since), now) },
    { title: "UNTIL", width: time.width, cell: ({ until }) => time.write(new Date(until), now) },
    {
      title: "LEFT",
      width: 8,
      cell: ({ until }) => formatDuration(Date.parse(until) - now.getTime()),
    },
    { title: "STOPPED", width: 7, isNumber: true, cell: ({ packetsStopped }) => shortCount(packetsStopped) },
    { title: "EVIDENCE", width: GRADE_WIDTH, cell: ({ grade }) => grade },
    { title: "BEFORE", width: 6, isNumber: true, cell: ({ timesBefore }) => String(timesBefore) },
  ];
  const full = [address, ...rest(WHOLE_TIME)];
  if (width === null || room(full, width) >= LEAST_REASON) return laidOut(full, width);
  let columns = [address, ...rest(SHORT_TIME)];
  for (const title of DISPENSABLE) {
    if (room(columns, width) >= LEAST_REASON) break;
    columns = columns.filter((column) => column.title !== title);
  }
  return laidOut(columns, width, true);
}

// What the columns leave for the reason.
function room(columns: readonly Column[], width: number): number {
  return columns.reduce((left, column) => left - column.width - BETWEEN.length, width);
}

function laidOut(columns: readonly Column[], width: number | null, isReduced = false): BlocksTable {
  const most = width === null ? Number.POSITIVE_INFINITY : Math.max(LAST_REASON, room(columns, width));
  let isShortened = isReduced;
  const line = (cells: readonly string[], why: string): string =>
    `${cells.join(BETWEEN)}${BETWEEN}${why}`.trimEnd();
  return {
    head: line(
      columns.map((column) => padded(column, column.title)),
      "WHY",
    ),
    row: (block) => {
      const why = showable(block.throttled === true ? `slowed down: ${block.because}` : block.because);
      isShortened ||= why.length > most;
      return line(
        columns.map((column) => padded(column, column.cell(block))),
        cut(why, most),
      );
    },
    isShortened: () => isShortened,
  };
}

function padded({ width, isNumber }: Column, cell: string): string {
  return isNumber === true ? cell.padStart(width) : cell.padEnd(width);
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}

/** `1,234`, `123,456`, `12.3M`: at most seven characters, exact below a million. */
function shortCount(count: number): string {
  if (count < 1_000_000) return String(count).replace(/\B(?=(\d{3})+$)/, ",");
  const power = Math.min(5, Math.floor(Math.log10(count) / 3));
  return `${(Math.floor((count / 1_000 ** power) * 10) / 10).toFixed(1)}${" kMGTP"[power]}`;
}

type Time = { readonly width: number; readonly write: (at: Date, now: Date) => string };

const two = (n: number): string => String(n).padStart(2, "0");
const day = (at: Date): string => `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
const minute = (at: Date): string => `${two(at.getHours())}:${two(at.getMinutes())}`;

// By hand: asking for the place's own form takes longer than everything else of a row.
const WHOLE_TIME: Time = {
  width: 19,
  write: (at) => `${at.getFullYear()}-${day(at)} ${minute(at)}:${two(at.getSeconds())}`,
};
// Of a time half a year away or more the day is enough, and the year is not known by itself.
const FAR_MS = 180 * 86_400_000;
const SHORT_TIME: Time = {
  width: 11,
  write: (at, now) =>
    Math.abs(at.getTime() - now.getTime()) < FAR_MS
      ? `${day(at)} ${minute(at)}`
      : `${at.getFullYear()}-${day(at)}`,
};
