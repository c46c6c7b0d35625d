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
import { runLogcheck } from "./logcheck.ts";

export const LAYERS = ["cracking.d", "violations.d", "violations.ignore.d", "cracking.ignore.d"];
export const IGNORES = ["ignore.d.paranoid", "ignore.d.server", "ignore.d.workstation"];

export type Outcome = { readonly status: number; readonly report: string; readonly errors: string };

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
    return [
      "-o",
      "-c",
      at("conf"),
      "-L",
      at("list"),
      "-D",
      at("lists.d"),
      "-r",
      this.rules,
      "-S",
      at(state),
      ...extra,
    ];
  }

  runReal(locale: string, extra: readonly string[] = [], path = process.env["PATH"]!): Outcome {
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

  async runOurs(
    locale: string,
    extra: readonly string[] = [],
    path = process.env["PATH"]!,
  ): Promise<Outcome> {
    const report: Buffer[] = [];
    let errors = "";
    const status = await runLogcheck(
      this.arguments("ours", extra),
      {
        out: (bytes) => report.push(Buffer.from(bytes)),
        err: (text) => {
          errors += text;
        },
      },
      { uid: 1, env: { PATH: path, LC_ALL: locale } },
    );
    return { status, report: Buffer.concat(report).toString("latin1"), errors };
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
