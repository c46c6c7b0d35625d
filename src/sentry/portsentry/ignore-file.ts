// The ignore file as it is now: whoever adds an address to it does not want to start anything again to be let in.
import { statSync } from "node:fs";
import { type Address, PrefixSet } from "../../core/address.ts";
import { type ConfigFault, describeError } from "../../core/errors.ts";
import { parseIgnoreFile } from "./parse.ts";
import { readPlain } from "./plain-file.ts";

// More than anybody lists by hand; a file that grew beyond this is not one of addresses.
const MAX_BYTES = 4 << 20;

export class IgnoreFile {
  readonly #path: string;
  /** Told what is wrong with the file, each time that it is read. */
  onFault: (fault: ConfigFault) => void;
  #list = new PrefixSet([]);
  /** Which file was read, as far as the file system tells one from another. */
  #seen = "";
  #told = "";
  #hasBeenRead = false;

  /**
   * @param path "" or /dev/null for nobody
   * @param onFault told what is wrong with the file now; may be replaced
   */
  constructor(path: string, onFault: (fault: ConfigFault) => void) {
    this.#path = path === "/dev/null" ? "" : path;
    this.onFault = onFault;
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
      const text = readPlain(this.#path, MAX_BYTES).toString("utf8");
      const { prefixes, faults } = parseIgnoreFile(this.#path, text);
      this.#list = new PrefixSet(prefixes);
      this.#hasBeenRead = true;
      this.#told = "";
      for (const fault of faults) this.onFault(fault);
    } catch (error) {
      const why = describeError(error);
      this.#seen = "";
      if (why === this.#told) return;
      this.#told = why;
      this.onFault({
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
