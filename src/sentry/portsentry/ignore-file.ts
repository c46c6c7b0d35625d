// The ignore file as it is now: whoever adds an address to it does not want to start anything again to be let in.
import { readFileSync, statSync } from "node:fs";
import { type Address, PrefixSet } from "../../core/address.ts";
import { type ConfigFault, describeError } from "../../core/errors.ts";
import { parseIgnoreFile } from "./parse.ts";

// More than anybody lists by hand; a file that grew beyond this is not one of addresses.
const MAX_BYTES = 4 << 20;

export class IgnoreFile {
  readonly #path: string;
  readonly #onFault: (fault: ConfigFault) => void;
  #list = new PrefixSet([]);
  /** Which file was read, as far as the file system tells one from another. */
  #seen = "";
  #told = "";
  #hasBeenRead = false;

  /**
   * @param path "" for nobody
   * @param onFault what is wrong with the file, each time that it is read
   */
  constructor(path: string, onFault: (fault: ConfigFault) => void) {
    this.#path = path;
    this.#onFault = onFault;
    this.#refresh();
  }

  has(source: Address): boolean {
    this.#refresh();
    return this.#list.has(source);
  }

  /** It never could be read. One that is gone again, as while an editor replaces it, is still obeyed as it was. */
  get isMissing(): boolean {
    return this.#path !== "" && !this.#hasBeenRead;
  }

  #refresh(): void {
    if (this.#path === "") return;
    try {
      const { ino, size, mtimeMs, ctimeMs } = statSync(this.#path);
      const now = `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      if (now === this.#seen) return;
      this.#seen = now;
      if (size > MAX_BYTES) throw new Error(`${size} bytes, where ${MAX_BYTES} are read`);
      const { prefixes, faults } = parseIgnoreFile(this.#path, readFileSync(this.#path, "utf8"));
      this.#list = new PrefixSet(prefixes);
      this.#hasBeenRead = true;
      this.#told = "";
      for (const fault of faults) this.#onFault(fault);
    } catch (error) {
      const why = describeError(error);
      this.#seen = "";
      if (why === this.#told) return;
      this.#told = why;
      this.#onFault({
        file: this.#path,
        line: 0,
        key: "",
        message: why,
        mend: 'make the file, or write IGNORE_FILE=""',
        consequence: this.#hasBeenRead ? "its last content counts" : "nobody is ignored",
      });
    }
  }
}
