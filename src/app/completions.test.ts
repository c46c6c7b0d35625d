// Each shell is asked what it would offer; the answer is compared with the catalogue.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { KEYS } from "../config/keys.ts";
import { COMMANDS, COMMON_OPTIONS } from "./catalogue.ts";
import { completions } from "./completions.ts";
import { FACES } from "./faces.ts";

const firstWords = [...COMMANDS.map(({ name }) => name), ...Object.keys(FACES)].sort();
const optionsOf = (name: string) =>
  [...COMMANDS.find((command) => command.name === name)!.options, ...COMMON_OPTIONS]
    .map((option) => `--${option.name}`)
    .sort();
const lines = (text: string) => text.split(/\r?\n/).filter((line) => line !== "");
const isHere = (shell: string) => spawnSync(shell, ["--version"]).error === undefined;

/** A folder with the three files, "a log.txt" and the folder "rules.d". */
function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-completions-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const [name, text] of completions()) writeFileSync(join(dir, name), text);
  writeFileSync(join(dir, "a log.txt"), "");
  return dir;
}

test("bash offers every command, every option, files where a log is wanted, and the levels", (t) => {
  if (!isHere("bash")) return t.skip("needs bash: apt install bash");
  const dir = folder(t);
  // compopt speaks to a completion in progress, and here is none.
  const script = `compopt() { :; }; . ./telltale.bash
    while IFS= read -r line; do
      read -ra COMP_WORDS <<< "$line"; [[ $line == *" " ]] && COMP_WORDS+=("")
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _telltale telltale "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
      printf '%s\\n' "\${COMPREPLY[@]}" =
    done`;
  const asked = [
    "telltale ",
    ...COMMANDS.map(({ name }) => `telltale ${name} --`),
    "telltale check a",
    "telltale check --level ",
    "telltale check ru",
    "telltale logrotate a",
    "telltale block --for ",
    "telltale guard --config a",
    "telltale config c",
    "telltale config explain respond.block_f",
  ];
  const ran = spawnSync("bash", ["-c", script], {
    cwd: dir,
    input: `${asked.join("\n")}\n`,
    encoding: "utf8",
  });
  assert.equal(ran.stderr, "");
  const [first, ...rest] = ran.stdout.split("=\n").map(lines);
  assert.deepEqual(first!.filter((word) => !word.startsWith("-")).sort(), firstWords);
  for (const { name } of COMMANDS) assert.deepEqual(rest.shift()!.sort(), optionsOf(name), name);
  const [log, levels, rules, face, duration, config, words, keys] = rest;
  assert.deepEqual(log, ["a log.txt"]);
  assert.deepEqual(levels, ["workstation", "server", "paranoid"]);
  assert.deepEqual(rules, ["rules"]);
  assert.deepEqual(face, ["a log.txt"]);
  assert.deepEqual(duration, []);
  assert.deepEqual(config, ["a log.txt"]);
  assert.deepEqual(words, ["check", ...KEYS.map(({ name }) => name).filter((name) => name.startsWith("c"))]);
  assert.deepEqual(keys, ["respond.block_for"]);
});

test("fish offers every command, every option, and the levels", (t) => {
  if (!isHere("fish")) return t.skip("needs fish: apt install fish");
  const dir = folder(t);
  const ask = (line: string) => {
    const { stdout, stderr } = spawnSync(
      "fish",
      ["--no-config", "-c", 'source telltale.fish; complete -C "$argv[1]"', line],
      { cwd: dir, encoding: "utf8", env: { ...process.env, HOME: dir, TERM: "dumb" } },
    );
    assert.equal(stderr, "");
    return lines(stdout).map((offer) => offer.split("\t")[0]!);
  };
  assert.deepEqual(ask("telltale ").sort(), firstWords);
  for (const { name } of COMMANDS) assert.deepEqual(ask(`telltale ${name} --`).sort(), optionsOf(name), name);
  assert.deepEqual(ask("telltale check --level ").sort(), ["paranoid", "server", "workstation"]);
  assert.ok(ask("telltale config ").includes("check"));
  assert.deepEqual(ask("telltale config explain respond.block_f"), ["respond.block_for"]);
  assert.ok(ask("telltale rotate a").includes("a log.txt"));
  assert.ok(!ask("telltale unblock a").includes("a log.txt"));
});

test("zsh offers every command and every option", (t) => {
  if (!isHere("zsh")) return t.skip("needs zsh: apt install zsh");
  const dir = folder(t);
  // Completion works in a line editor only: a second zsh, in a pseudo-terminal, is typed to. Every offer goes through
  // compadd; here it writes down what matched, except where the completion system itself only asks for matches.
  writeFileSync(
    join(dir, "setup.zsh"),
    `fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -d $PWD/dump
    compadd() {
      if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
        local -a said; builtin compadd -O said "$@"; print -rl -- $said >> $PWD/offers
      fi
      builtin compadd "$@"
    }
    asked() { _main_complete; print = >> $PWD/offers; print ANSWERED; compstate[insert]= compstate[list]= }
    zle -C ask list-choices asked; bindkey '^X' ask; print ANSWERED`,
  );
  const script = `zmodload zsh/zpty; zpty z zsh -f -i
    zpty -w z "cd \${(q)PWD}; . ./setup.zsh"; zpty -r z said '*ANSWERED*'
    while IFS= read -r line; do zpty -w -n z $'\\x15'"$line"$'\\x18'; zpty -r z said '*ANSWERED*'; done
    zpty -d z; cat offers`;
  const asked = [
    "telltale ",
    ...COMMANDS.map(({ name }) => `telltale ${name} --`),
    "telltale check --level ",
    "telltale config explain respond.block_f",
  ];
  const { stdout, stderr, status } = spawnSync("zsh", ["-f", "-c", script], {
    cwd: dir,
    input: `${asked.join("\n")}\n`,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr + stdout);
  const [first, ...rest] = stdout.split("=\n").map((text) => [...new Set(lines(text))].sort());
  assert.deepEqual(
    first!.filter((word) => !word.startsWith("-")),
    firstWords,
  );
  for (const { name } of COMMANDS)
    assert.deepEqual(
      rest.shift()!.filter((word) => word.startsWith("--")),
      optionsOf(name),
      name,
    );
  assert.deepEqual(rest[0], ["paranoid", "server", "workstation"]);
  assert.deepEqual(rest[1], ["respond.block_for"]);
});
