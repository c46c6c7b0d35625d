import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { crc32, inflateSync } from "node:zlib";
import fc from "fast-check";
import { scratch } from "../fixtures/mail.ts";
import type { Slice } from "../types.ts";
import { encodePng } from "./png.ts";
import { CHART_SIZE, drawChart, type Picture } from "./render.ts";

const LABELS = ["19:00", "19:30", "20:00"] as const;
const slice = (probes: number, blocks: number): Slice => ({ at: "", probes, blocks });
const count = (picture: Picture, colour: number) =>
  picture.pixels.reduce((sum, pixel) => sum + (pixel === colour ? 1 : 0), 0);

// Reads the chunks back as the specification lays them out, checking every length and checksum.
function decode(png: Uint8Array): Map<string, Buffer> {
  const bytes = Buffer.from(png);
  assert.equal(bytes.subarray(0, 8).toString("hex"), "89504e470d0a1a0a");
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const name = bytes.toString("latin1", at + 4, at + 8);
    assert.equal(bytes.readUInt32BE(at + 8 + length), crc32(bytes.subarray(at + 4, at + 8 + length)), name);
    chunks.set(name, bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return chunks;
}

test("writes a PNG whose pixels come back as they were", () => {
  const picture = drawChart([slice(4, 0), slice(65_535, 3)], LABELS);
  const chunks = decode(encodePng(picture));
  assert.deepEqual([...chunks.keys()], ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);
  const header = chunks.get("IHDR")!;
  assert.deepEqual([header.readUInt32BE(0), header.readUInt32BE(4)], [picture.width, picture.height]);
  const rows = inflateSync(chunks.get("IDAT")!);
  assert.equal(rows.length, (picture.width + 1) * picture.height);
  for (let row = 0; row < picture.height; row++) {
    const from = row * (picture.width + 1);
    assert.equal(rows[from], 0);
    assert.ok(
      rows
        .subarray(from + 1, from + 1 + picture.width)
        .equals(picture.pixels.subarray(row * picture.width, (row + 1) * picture.width)),
    );
  }
});

test("another program reads it", (t) => {
  using place = scratch();
  const path = join(place.dir, "chart.png");
  writeFileSync(path, encodePng(drawChart([slice(4, 1)], LABELS)));
  try {
    const said = execFileSync("file", ["-b", path], { encoding: "utf8" });
    assert.match(said, /^PNG image data, 1248 x 240, 8-bit colormap, non-interlaced/);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    t.skip("needs file: apt install file");
  }
});

test("shows four probes beside a scan of every port, and a block below", () => {
  const [probes, blocks] = [1, 2];
  const few = drawChart([slice(4, 0), slice(65_535, 0)], LABELS);
  const column = (picture: Picture, x: number, colour: number) =>
    Array.from({ length: picture.height }, (_, y) => picture.pixels[y * picture.width + x]).filter(
      (pixel) => pixel === colour,
    ).length;
  assert.ok(column(few, 100, probes) > 15);
  assert.ok(column(few, 700, probes) > 150);
  assert.equal(count(few, blocks), 0);
  assert.ok(count(drawChart([slice(0, 1)], LABELS), blocks) > 0);
});

test("paints any figures inside its bounds", () => {
  const figure = fc.oneof(fc.nat(), fc.constantFrom(0, -1, Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(fc.array(fc.tuple(figure, figure), { maxLength: 60 }), (figures) => {
      const picture = drawChart(
        figures.map(([probes, blocks]) => slice(probes, blocks)),
        ["??:??", "", "20:00"],
      );
      assert.equal(picture.pixels.length, CHART_SIZE.width * 2 * CHART_SIZE.height * 2);
      assert.ok(picture.pixels.every((pixel) => pixel < picture.palette.length));
    }),
  );
});
