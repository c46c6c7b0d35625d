// Which line of which file is behind each setting of a stanza.
import { DIRECTIVES } from "./directives/parse.ts";
import type { LogStanza, Place, Settings } from "./types.ts";

/** One setting somebody wrote down, as it is in force. */
export type SettingInForce = {
  /** The directive as it was written: `weekly`, `rotate`. */
  readonly directive: string;
  /** What it amounts to; "" for a directive that says all by its name. */
  readonly value: string;
  readonly place: Place;
};

/** The settings of a stanza that were written, by file and line; what is not here has its default. */
export function settingsInForce(stanza: LogStanza): SettingInForce[] {
  const out: SettingInForce[] = [];
  for (const [directive, place] of Object.entries(stanza.origins)) {
    const sets = DIRECTIVES.get(directive)?.sets;
    if (sets !== undefined)
      out.push({ directive, value: valueText(directive, sets, stanza.settings), place });
  }
  for (const [name, script] of Object.entries(stanza.scripts)) {
    const lines = script.text.trim().split("\n").length;
    out.push({
      directive: name,
      value: `${lines} ${lines === 1 ? "line" : "lines"} of shell`,
      place: script.place,
    });
  }
  const key = ({ place }: SettingInForce) => place.file;
  return out.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.place.line - b.place.line));
}

function valueText(directive: string, sets: keyof Settings, settings: Readonly<Settings>): string {
  if (sets === "criterion") return directive === "size" ? `${settings.sizeBytes} bytes` : "";
  const value = settings[sets];
  if (value === null || typeof value === "boolean") return "";
  if (typeof value === "object" && "mode" in value) {
    const mode = value.mode === null ? "mode kept" : value.mode.toString(8).padStart(4, "0");
    const owner = value.uid === null ? "owner kept" : `uid ${value.uid}`;
    const group = value.gid === null ? "group kept" : `gid ${value.gid}`;
    return `${mode}, ${owner}, ${group}`;
  }
  if (typeof value === "object")
    return "uid" in value ? `uid ${value.uid}, gid ${value.gid}` : value.join(" ");
  return String(value);
}
