// Encrypts a report to the administrator's OpenPGP key, for mails that cross other people's servers: a report tells
// what a host runs and what it missed. GnuPG does it; it is on every Debian, and keys are what it understands best.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeError } from "../../core/errors.ts";
import { runProgram } from "./program.ts";
import { codeOf, DeliveryError } from "./refusal.ts";

const GPG = "gpg";

// Encrypting ten megabytes takes under a second.
const GPG_TIMEOUT_MS = 20_000;

/**
 * The bytes as an ASCII-armoured OpenPGP message (RFC 9580 section 6).
 * @param keyFile an exported public key, armoured or not
 * @throws DeliveryError when gpg is missing or refuses the key
 */
export async function encrypted(clear: Uint8Array, keyFile: string): Promise<Buffer> {
  // A home of its own: no key ring, no trust and no option of whoever runs telltale has a say.
  const home = await mkdtemp(join(tmpdir(), "telltale-gpg-"));
  try {
    const ended = await runProgram(
      GPG,
      [
        ...["--homedir", home, "--batch", "--no-tty", "--quiet", "--no-options", "--no-autostart"],
        // The administrator named the very key; there is nobody to ask whether it is trusted.
        ...["--trust-model", "always", "--no-auto-key-locate", "--recipient-file", keyFile],
        ...["--armor", "--output", "-", "--encrypt"],
      ],
      clear,
      GPG_TIMEOUT_MS,
    );
    if (ended.status === 0 && ended.stdout.length > 0) return ended.stdout;
    const why =
      ended.status === null
        ? "gpg did not answer in time"
        : `gpg ended with status ${ended.status}: ${ended.stderr}`;
    throw new DeliveryError(
      `the report could not be encrypted, so it was not sent: ${why}`,
      `see that ${keyFile} holds a public key that can encrypt: gpg --show-keys ${keyFile}`,
      true,
    );
  } catch (error) {
    if (error instanceof DeliveryError) throw error;
    const missing = codeOf(error) === "ENOENT";
    throw new DeliveryError(
      `the report could not be encrypted, so it was not sent: ${missing ? "gpg is missing" : describeError(error)}`,
      missing ? "apt install gpg" : "see whether gpg can be run",
      true,
      error,
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
