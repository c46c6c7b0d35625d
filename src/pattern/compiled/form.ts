// A compiled set as bytes: the automaton, its alphabet, and the states that lines have led to. Reading it back costs a
// few milliseconds where compiling two thousand patterns costs a hundred.
import { createHash } from "node:crypto";
import type { Snapshot } from "../lazy-dfa/cache.ts";
import type { ClassParts } from "../nfa/classes.ts";
import type { Program } from "../nfa/program.ts";
import type { PatternFault, PatternSetOptions } from "../set.ts";
import { ENGINE } from "./engine.ts";
import { pack, unpack } from "./pack.ts";

export type CompiledForm = {
  readonly program: Program;
  readonly classes: ClassParts;
  /** Patterns whose matches have yet to be confirmed by the back-reference matcher. */
  readonly unsure: readonly number[];
  readonly faults: readonly PatternFault[];
  /** The deterministic states met so far, or null. */
  readonly snapshot: Snapshot | null;
};

/** Names a set by everything that its compiled form depends on. */
export function keyOf(patterns: readonly Uint8Array[], options: PatternSetOptions): string {
  const hash = createHash("sha256");
  hash.update(`${ENGINE} ${options.locale ?? "C.UTF-8"} ${options.ignoreCase === true} ${patterns.length}\n`);
  for (const pattern of patterns) hash.update(`${pattern.length}\n`).update(pattern);
  return hash.digest("hex");
}

type Facts = {
  readonly key: string;
  readonly start: number;
  readonly hasWordAssertions: boolean;
  readonly classCount: number;
  readonly unsure: readonly number[];
  readonly faults: readonly PatternFault[];
  readonly snapshot: { readonly stride: number; readonly start: number } | null;
};

/** The form as bytes, under its key. */
export function writeForm(key: string, form: CompiledForm): Uint8Array {
  const { program, classes, snapshot } = form;
  const facts: Facts = {
    key,
    start: program.start,
    hasWordAssertions: program.hasWordAssertions,
    classCount: classes.count,
    unsure: form.unsure,
    faults: form.faults,
    snapshot: snapshot === null ? null : { stride: snapshot.stride, start: snapshot.start },
  };
  const { count, ...classArrays } = classes;
  const states = snapshot === null ? {} : arraysOf(snapshot);
  return pack(facts, {
    op: program.op,
    arg: program.arg,
    next: program.next,
    lowest: program.lowest,
    ...classArrays,
    ...states,
  });
}

function arraysOf({ stride, start, ...arrays }: Snapshot): Omit<Snapshot, "stride" | "start"> {
  return arrays;
}

/** The form that was written under this key; null for any other bytes. */
export function readForm(key: string, bytes: Uint8Array): CompiledForm | null {
  const unpacked = unpack(bytes);
  if (unpacked === null) return null;
  const facts = unpacked.facts as Partial<Facts> | null;
  if (facts?.key !== key) return null;
  // The key is over this very code: what it wrote has every field.
  const { start, hasWordAssertions, classCount, unsure, faults, snapshot } = facts as Facts;
  const words = (name: string) => unpacked.arrays[name] as Int32Array;
  const bytesOf = (name: string) => unpacked.arrays[name] as Uint8Array;
  return {
    program: {
      op: bytesOf("op"),
      arg: words("arg"),
      next: words("next"),
      lowest: words("lowest"),
      start,
      hasWordAssertions,
    },
    classes: {
      count: classCount,
      low: words("low"),
      isWord: bytesOf("isWord"),
      starts: words("starts"),
      classOf: words("classOf"),
      members: bytesOf("members"),
    },
    unsure,
    faults,
    snapshot:
      snapshot === null
        ? null
        : {
            ...snapshot,
            table: words("table"),
            sets: words("sets"),
            setEnds: words("setEnds"),
            accepted: words("accepted"),
            acceptedEnds: words("acceptedEnds"),
            lowestAhead: words("lowestAhead"),
            before: bytesOf("before"),
            flags: bytesOf("flags"),
            hashes: words("hashes"),
          },
  };
}
