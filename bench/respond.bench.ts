import type { Bench } from "./types.ts";
export const respondBench: Bench = { name: "respond", title: "x", about: "", packages: [], cases: () => [] };
