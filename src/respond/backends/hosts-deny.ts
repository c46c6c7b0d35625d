// Blocks in /etc/hosts.deny (hosts_access(5)), for services that ask libwrap. Only the lines between telltale's two marks
// are ever changed, the file is replaced whole, and a link is not followed: its target may be anybody's file.
import { constants } from "node:fs";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { familyOf, formatPrefix, type Prefix, parsePrefix } from "../../core/address.ts";
import { MissingPartError } from "../../core/errors.ts";
import { SimpleBackend, type Way } from "./simple.ts";

const BEGIN = "# telltale begin: what stands up to the end mark is written by telltale";
const END = "# telltale end";
// Larger than any hosts.deny; a file beyond it is not ours to rewrite.
const MAX_BYTES = 16 * 1024 * 1024;

class HostsDenyWay implements Way {
  readonly name = "hosts.deny";
  readonly mend: string;
  readonly #path: string;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
    this.mend = `make ${path} a plain file that root may write`;
  }

  describe(): string {
    return `${this.#path}, for services that use libwrap`;
  }

  async open(): Promise<void> {
    try {
      await this.list();
    } catch (error) {
      throw new MissingPartError("respond", `${this.#path} cannot be used`, this.mend, error);
    }
  }

  change(add: readonly Prefix[], remove: readonly Prefix[]): Promise<void> {
    const done = this.#turn.then(() => this.#rewrite(add, remove));
    this.#turn = done.catch(() => {}); // Whoever asked hears of it; the next one starts afresh.
    return done;
  }

  async list(): Promise<Prefix[]> {
    return readDenied((await this.#read()).text);
  }

  async #rewrite(add: readonly Prefix[], remove: readonly Prefix[]): Promise<void> {
    const { text, mode, uid, gid } = await this.#read();
    const wanted = new Map(readDenied(text).map((target) => [formatPrefix(target), target]));
    for (const target of remove) wanted.delete(formatPrefix(target));
    for (const target of add) wanted.set(formatPrefix(target), target);
    const next = writeDenied(text, [...wanted.values()]);
    if (next === text) return;
    const folder = dirname(this.#path);
    const temporary = join(folder, `.${basename(this.#path)}.telltale-${process.pid}`);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    let file: FileHandle | undefined;
    try {
      // Left behind by a process of the same number that was killed between the two steps.
      await unlink(temporary).catch(() => {});
      file = await open(temporary, flags, 0o600);
      await file.writeFile(next, "latin1");
      await file.chown(uid, gid);
      await file.chmod(mode);
      await file.sync();
      await file.close();
      file = undefined;
      await rename(temporary, this.#path);
    } catch (error) {
      await file?.close();
      await unlink(temporary).catch(() => {}); // It may never have been made; the first error is the one to tell.
      throw error;
    }
  }

  async #read(): Promise<{ text: string; mode: number; uid: number; gid: number }> {
    let file: FileHandle;
    try {
      file = await open(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "ENOENT")
        return { text: "", mode: 0o644, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
      if (code === "ELOOP")
        throw new Error(`${this.#path} is a link, and links are not followed`, { cause: error });
      throw error;
    }
    try {
      const facts = await file.stat();
      if (!facts.isFile()) throw new Error(`${this.#path} is no plain file`);
      if (facts.size > MAX_BYTES)
        throw new Error(`${this.#path} has ${facts.size} bytes, at most ${MAX_BYTES} are handled`);
      const text = await file.readFile("latin1");
      return { text, mode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid };
    } finally {
      await file.close();
    }
  }
}

export function hostsDenyBackend(path = "/etc/hosts.deny"): SimpleBackend {
  return new SimpleBackend(new HostsDenyWay(path));
}

/** The targets between the marks. */
export function readDenied(text: string): Prefix[] {
  const from = text.indexOf(BEGIN);
  if (from < 0) return [];
  const to = text.indexOf(END, from);
  const out: Prefix[] = [];
  for (const [, six, address, rest] of text
    .slice(from, to < 0 ? undefined : to)
    .matchAll(/^ALL: (?:\[([0-9a-f:.]+)\]|([0-9.]+))(\/\d+(?:\.\d+){0,3})?$/gm)) {
    const prefix = parsePrefix(`${six ?? address}${rest === undefined ? "" : `/${bitsOf(rest.slice(1))}`}`);
    if (prefix !== null) out.push(prefix);
  }
  return out;
}

/** The text with exactly these targets between the marks, and everything else as it was. */
export function writeDenied(text: string, targets: readonly Prefix[]): string {
  const from = text.indexOf(BEGIN);
  const to = from < 0 ? -1 : text.indexOf(END, from);
  // A begin mark whose end somebody deleted: only the lines that are certainly ours go.
  const before = from < 0 ? text : text.slice(0, from);
  const after =
    from < 0
      ? ""
      : to < 0
        ? text.slice(from + BEGIN.length).replace(/^\n(?:ALL: [[\]0-9a-f:./]+\n)*/, "")
        : text.slice(to + END.length).replace(/^\n/, "");
  if (targets.length === 0) return before + after;
  const gap = before === "" || before.endsWith("\n") ? "" : "\n";
  return `${before}${gap}${[BEGIN, ...targets.map(denied), END].join("\n")}\n${after}`;
}

// hosts_access(5): a network is ADDRESS/NETMASK, or [ADDRESS]/BITS for IPv6.
function denied({ base, bits }: Prefix): string {
  if (familyOf(base) === 6) return `ALL: [${base}]${bits === 128 ? "" : `/${bits}`}`;
  if (bits === 32) return `ALL: ${base}`;
  const mask = Array.from({ length: 4 }, (_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))) & 0xff);
  return `ALL: ${base}/${mask.join(".")}`;
}

function bitsOf(mask: string): number {
  if (!mask.includes(".")) return Number(mask);
  return mask
    .split(".")
    .reduce((bits, part) => bits + Number(part).toString(2).replaceAll("0", "").length, 0);
}
