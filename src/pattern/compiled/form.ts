// A compiled set as bytes: the automaton, its alphabet, and the states that lines have led to. Reading it back costs a
// few milliseconds where compiling two thousand patterns costs a hundred.
import { crc32 } from "node:zlib";
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

/** Everything that a compiled form depends on, as bytes: what was compiled is good for this and nothing else. */
export function originOf(patterns: readonly Uint8Array[], options: PatternSetOptions): Uint8Array {
  const { locale = "C.UTF-8", ignoreCase = false } = options;
  const lengths = new Int32Array(patterns.map(({ length }) => length));
  const head = Buffer.from(`${ENGINE} ${locale} ${ignoreCase} ${patterns.length}\n`);
  return Buffer.concat([head, new Uint8Array(lengths.buffer), ...patterns]);
}

/** A short name for an origin. Two may share one: `readForm` tells them apart. */
export function keyOf(origin: Uint8Array): string {
  return `${origin.length.toString(36)}-${crc32(origin).toString(36)}`;
}

type Facts = {
  readonly start: number;
  readonly hasWordAssertions: boolean;
  readonly classCount: number;
  readonly unsure: readonly number[];
  readonly faults: readonly PatternFault[];
  readonly snapshot: { readonly stride: number; readonly start: number } | null;
};

/** The form as bytes, with its origin. */
export function writeForm(origin: Uint8Array, form: CompiledForm): Uint8Array {
  const { program, classes, snapshot } = form;
  const facts: Facts = {
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
    origin,
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

/** The form that was written with this origin; null for any other bytes. */
export function readForm(origin: Uint8Array, bytes: Uint8Array): CompiledForm | null {
  const unpacked = unpack(bytes);
  const written = unpacked?.arrays["origin"];
  if (unpacked === null || written === undefined || Buffer.compare(origin, written as Uint8Array) !== 0)
    return null;
  // The origin names this very code: what it wrote has every field.
  const { start, hasWordAssertions, classCount, unsure, faults, snapshot } = unpacked.facts as Facts;
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
