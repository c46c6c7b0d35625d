import assert from "node:assert/strict";
import test from "node:test";
import { isHostName } from "./hostname.ts";

for (const name of [
  "localhost",
  "gw.example.org",
  "gw.example.org.",
  "a_b.example",
  "3com.example",
  "xn--bcher-kva.example",
]) {
  test(`"${name}" can be a host`, () => assert.equal(isHostName(name), true));
}

const NOT = [
  "",
  ".",
  "192.0.2.300",
  "1.2.3",
  "1",
  "fe80::1",
  "192.0.2.0/24",
  "$(id)",
  "a b",
  "-x.org",
  "x-.org",
  "a..b",
  `${"a".repeat(64)}.org`,
  "a\n",
];
for (const text of NOT) {
  test(`${JSON.stringify(text)} cannot`, () => assert.equal(isHostName(text), false));
}
