// What the scenes ask of a guard, whoever wrote it.
import type { Lab } from "../../../tests/system/lab.ts";
import type { Contender, Sample } from "../../types.ts";

/** A source that a guard spoke up about. Times in milliseconds since the epoch. */
export type Alarm = {
  readonly source: string;
  /** When it did, by its own word where it gives one finer than a second. */
  readonly atMs: number;
  /** When somebody who listens could know. */
  readonly heardMs: number;
};

/** A guard at its post. */
export type Standing = {
  /** CPU so far and peak memory of all its processes; packets it says it lost. */
  cost(): Sample;
  /** Everything it raised an alarm about so far. */
  alarms(): readonly Alarm[];
  /** Makes it forget what holds it back from the next alarm, where it has such a limit. */
  renew?(): Promise<void>;
};

export type Guard = {
  readonly name: string;
  readonly role: Contender["role"];
  readonly command: string;
  readonly obstacle: string | null;
  /** Whether it locks anybody out, or only tells. */
  readonly blocks: boolean;
  /** Milliseconds from its start until it does what it does all day. */
  readonly settlesMs?: number;
  /** Starts it in the lab's host and waits until it watches. */
  start(lab: Lab): Promise<Standing>;
};
