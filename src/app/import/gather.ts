// Asks each of the old programs' configurations in turn, and settles what they want of telltale's keys.
import { KEYS, type KeyDefinition } from "../../config/keys.ts";
import { checkValue } from "../../config/value.ts";
import { importFail2ban } from "./fail2ban.ts";
import { Files } from "./files.ts";
import { importLogcheck } from "./logcheck.ts";
import { importLogrotate } from "./logrotate.ts";
import { importPortsentry } from "./portsentry.ts";
import { type Directive, type Imported, type Note, PEERS, type Peer, type Wish } from "./types.ts";

// Nobody wrote more by hand; the list is for reading.
const MAX_DIRECTIVES = 20_000;
// An allow list from a hostile file must not become one that nothing can work with.
const MAX_ITEMS = 10_000;

const IMPORTERS: Readonly<Record<Peer, (files: Files, note: Note) => void>> = {
  logrotate: importLogrotate,
  logcheck: importLogcheck,
  portsentry: importPortsentry,
  fail2ban: importFail2ban,
};

/**
 * Reads the configurations of these programs under `root`. Lists are joined; of two values for one key, the first holds and
 * the other directive is named as changed.
 */
export function gatherImport(root: string, peers: readonly Peer[]): Imported {
  const files = new Files(root);
  const directives: Directive[] = [];
  const settled = new Map<string, { key: Wish["key"]; value: unknown; from: Directive[] }>();
  let dropped = 0;

  for (const peer of PEERS.filter((known) => peers.includes(known))) {
    IMPORTERS[peer](files, (at, fate, because, ...wishes) => {
      if (directives.length >= MAX_DIRECTIVES) {
        dropped++;
        return;
      }
      let directive: Directive = { peer, ...at, fate, because };
      for (const { key, value } of wishes) {
        const fault = faultOf(key, value);
        const known = settled.get(key);
        if (fault !== null) directive = { ...directive, fate: "unsupported", because: `${key} ${fault}` };
        else if (known === undefined) settled.set(key, { key, value, from: [directive] });
        else if (Array.isArray(known.value) && Array.isArray(value)) {
          known.value = [...new Set([...known.value, ...value])].slice(0, MAX_ITEMS);
          known.from.push(directive);
        } else if (JSON.stringify(known.value) === JSON.stringify(value)) known.from.push(directive);
        else {
          const { file, line } = known.from[0]!;
          directive = { ...directive, fate: "changed", because: `${key} is what ${file}:${line} says` };
        }
      }
      directives.push(directive);
    });
  }
  const order = KEYS.map(({ name }) => name as string);
  return {
    directives,
    settings: [...settled.values()].sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key)),
    troubles: [
      ...files.troubles,
      ...(dropped === 0 ? [] : [`${dropped} directives more than ${MAX_DIRECTIVES}; they are not looked at`]),
    ],
  };
}

function faultOf(key: string, value: unknown): string | null {
  const definition = (KEYS as readonly KeyDefinition[]).find((known) => known.name === key)!;
  const checked = checkValue(definition.kind, value);
  return "fault" in checked ? checked.fault : null;
}
