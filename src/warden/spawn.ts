// Starts one listener with its two channels. Apart from its supervisor, so that the listener can read its code while the warden
// still reads its own.
import { type ChildProcess, spawn } from "node:child_process";
import { closeDescriptor, descriptorChannel } from "../sys/descriptors.ts";

/** Where the listener finds the two channels. */
export const CHANNEL_FD = 3;
export const DESCRIPTORS_FD = 4;

export type Command = { readonly argv: readonly string[]; readonly env: NodeJS.ProcessEnv };

/** A listener that was started, and waits for answers. */
export type Spawned = {
  readonly child: ChildProcess;
  /** Our end of its descriptorChannel; whoever takes the listener over closes it. */
  readonly descriptors: number;
  /** Resolves with the reason when it has ended, or could not be started. */
  readonly ended: Promise<string>;
};

/** Throws what spawn(3) does, and SystemCallError, when there are no descriptors or no memory. */
export function spawnListener({ argv, env }: Command): Spawned {
  const [here, there] = descriptorChannel();
  try {
    const child = spawn(argv[0]!, argv.slice(1), {
      stdio: ["ignore", "inherit", "inherit", "pipe", there],
      env,
      // A session of its own: ^C in the terminal is for the warden to answer.
      detached: true,
    });
    const ended = new Promise<string>((resolve) => {
      child.once("exit", (status, signal) =>
        resolve(signal === null ? `it ended with status ${status}` : `it was ended by ${signal}`),
      );
      child.once("error", (error) => resolve(`it could not be started: ${error.message}`));
    });
    return { child, descriptors: here, ended };
  } catch (error) {
    closeDescriptor(here);
    throw error;
  } finally {
    closeDescriptor(there);
  }
}
