// A directory in which the real logcheck and ours run side by side on the same rules and logs, for the tests.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { type LogcheckCaller, runLogcheck } from "./logcheck.ts";

export const LAYERS = ["cracking.d", "violations.d", "violations.ignore.d", "cracking.ignore.d"];
export const IGNORES = ["ignore.d.paranoid", "ignore.d.server", "ignore.d.workstation"];

export type Outcome = { readonly status: number; readonly report: string; readonly errors: string };

export type Mail = { readonly status: number; readonly subject: string; readonly to: string };

/** One directory that the user logcheck may read and write, with everything that a run needs. */
export class Playground {
  readonly dir = mkdtempSync(join(tmpdir(), "telltale-logcheck-"));
  readonly rules = join(this.dir, "rules");
  readonly logs = join(this.dir, "logs");

  constructor(t: TestContext | null) {
    t?.after(() => this.remove());
    for (const name of ["rules", "logs", "tmp", "lists.d", "real", "ours"]) mkdirSync(join(this.dir, name));
    for (const layer of [...LAYERS, ...IGNORES]) mkdirSync(join(this.rules, layer));
    this.write("list", `${this.logs}/*\n`);
    this.configure({});
    chmodSync(this.dir, 0o755);
  }

  write(path: string, text: string | Uint8Array): void {
    mkdirSync(dirname(join(this.dir, path)), { recursive: true });
    writeFileSync(join(this.dir, path), text);
  }

  configure(settings: Record<string, string>): void {
    const all = {
      LOCKDIR: this.dir,
      LOCKFILE: join(this.dir, "lock"),
      TMP: join(this.dir, "tmp"),
      ...settings,
    };
    this.write(
      "conf",
      Object.entries(all)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(""),
    );
  }

  arguments(state: "real" | "ours", extra: readonly string[]): string[] {
    const at = (name: string) => join(this.dir, name);
    const own = {
      "-c": at("conf"),
      "-L": at("list"),
      "-D": at("lists.d"),
      "-r": this.rules,
      "-S": at(state),
    };
    return [...Object.entries(own).flat(), ...extra];
  }

  /** Runs the real logcheck, printing its report. */
  runReal(locale: string, extra: readonly string[] = [], path = process.env["PATH"]!): Outcome {
    return this.#spawnReal(locale, ["-o", ...extra], path);
  }

  /** Runs ours, printing its report. */
  async runOurs(
    locale: string,
    extra: readonly string[] = [],
    path = process.env["PATH"]!,
  ): Promise<Outcome> {
    const report: Buffer[] = [];
    const ended = await this.#callOurs(["-o", ...extra], (bytes) => report.push(Buffer.from(bytes)), {
      uid: 1,
      env: { PATH: path, LC_ALL: locale },
      deliver: () => Promise.reject(new Error("a report to print was mailed")),
    });
    return { ...ended, report: Buffer.concat(report).toString("latin1") };
  }

  /** The mail of the real logcheck, as mime-construct is asked for it. */
  mailReal(extra: readonly string[]): Mail {
    const asked = join(this.dir, "asked");
    this.write("bin/mime-construct", `#!/bin/sh\nfor word; do printf '%s\\0' "$word"; done > ${asked}\n`);
    chmodSync(join(this.dir, "bin/mime-construct"), 0o755);
    const ended = this.#spawnReal("C", extra, `${this.dir}/bin:${process.env["PATH"]}`);
    const words = readFileSync(asked, "utf8").split("\0");
    const after = (option: string) => words[words.indexOf(option) + 1] ?? "";
    return { status: ended.status, subject: after("--subject"), to: after("--to") };
  }

  /** The mail of ours. */
  async mailOurs(extra: readonly string[]): Promise<Mail> {
    let sent = { subject: "", to: "" };
    const ended = await this.#callOurs(extra, () => {}, {
      uid: 1,
      env: { PATH: process.env["PATH"], LC_ALL: "C" },
      deliver: (_report, { subject, to }) => {
        sent = { subject, to };
        return Promise.resolve();
      },
    });
    return { status: ended.status, ...sent };
  }

  #spawnReal(locale: string, extra: readonly string[], path: string): Outcome {
    const { uid, gid } = accountOfLogcheck()!;
    handOver(this.dir, uid, gid);
    const ended = spawnSync("/usr/sbin/logcheck", this.arguments("real", extra), {
      uid,
      gid,
      env: { PATH: path, LC_ALL: locale },
      input: "",
      maxBuffer: 64 << 20,
    });
    return {
      status: ended.status ?? -1,
      report: ended.stdout.toString("latin1"),
      errors: ended.stderr.toString("utf8"),
    };
  }

  async #callOurs(
    extra: readonly string[],
    out: (bytes: Uint8Array) => void,
    caller: LogcheckCaller,
  ): Promise<{ status: number; errors: string }> {
    let errors = "";
    const err = (text: string) => {
      errors += text;
    };
    const status = await runLogcheck(this.arguments("ours", extra), { out, err }, caller);
    return { status, errors };
  }

  offsets(state: "real" | "ours"): Record<string, string> {
    const dir = join(this.dir, state);
    return Object.fromEntries(
      readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), "latin1")]),
    );
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function handOver(dir: string, uid: number, gid: number): void {
  chownSync(dir, uid, gid);
  for (const name of readdirSync(dir, { recursive: true }) as string[]) chownSync(join(dir, name), uid, gid);
}

/** The user logcheck, as its package makes it, or null. */
export function accountOfLogcheck(): { uid: number; gid: number } | null {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("logcheck:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}
