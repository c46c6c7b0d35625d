// Draws probes and blocks over the period as pixels. No browser and no canvas: two rows of bars need neither, and
// nothing of a stranger reaches this code but numbers.
import type { Slice } from "../types.ts";

/** An image whose pixels are indices into a palette. */
export type Picture = {
  readonly width: number;
  readonly height: number;
  /** One byte a pixel, row by row. */
  readonly pixels: Uint8Array;
  /** Red, green, blue and opacity of each index. */
  readonly palette: readonly (readonly [number, number, number, number])[];
};

/** The chart's place on a page in CSS pixels; the picture has twice as many each way, for sharp screens. */
export const CHART_SIZE = { width: 624, height: 120 } as const;

// Index 0 is the ground, which every pixel is until it is painted.
const PROBES = 1;
const BLOCKS = 2;
const LABEL = 3;

// Nothing is painted behind: the page is light or dark. Each colour keeps 3 to 1 against white and against #15181b
// (WCAG 2.2, success criterion 1.4.11).
const PALETTE = [
  [0, 0, 0, 0],
  [47, 129, 201, 255],
  [213, 72, 59, 255],
  [128, 136, 144, 255],
] as const;

const SCALE = 2;
const WIDTH = CHART_SIZE.width * SCALE;
const HEIGHT = CHART_SIZE.height * SCALE;
const EDGE = 8;
const LABEL_HEIGHT = 24;
const BLOCKS_HEIGHT = 40;
const AXIS = HEIGHT - LABEL_HEIGHT - BLOCKS_HEIGHT;
const PIXEL = 2;

/**
 * Bars of probes above the axis, bars of blocks below it, the times of its ends and its middle under both. Heights
 * are logarithmic: beside one scan of 65,535 ports, four probes must still be seen.
 * @param labels start, middle and end, made of digits and colons
 */
export function drawChart(series: readonly Slice[], labels: readonly [string, string, string]): Picture {
  const pixels = new Uint8Array(WIDTH * HEIGHT);
  const step = (WIDTH - 2 * EDGE) / Math.max(1, series.length);
  const topProbes = Math.max(0, ...series.map((slice) => slice.probes));
  const topBlocks = Math.max(0, ...series.map((slice) => slice.blocks));
  series.forEach((slice, index) => {
    const left = Math.round(EDGE + index * step);
    const width = Math.max(2, Math.round(step) - 4);
    const up = barHeight(slice.probes, topProbes, AXIS - EDGE);
    fill(pixels, PROBES, left, AXIS - up, width, up);
    const down = barHeight(slice.blocks, topBlocks, BLOCKS_HEIGHT - 8);
    fill(pixels, BLOCKS, left, AXIS + 4, width, down);
  });
  fill(pixels, LABEL, EDGE, AXIS, WIDTH - 2 * EDGE, 2);
  const baseline = HEIGHT - GLYPH_HEIGHT * PIXEL - 4;
  const room = WIDTH - 2 * EDGE;
  labels.forEach((label, index) => {
    const left = EDGE + ((room - textWidth(label)) * index) / 2;
    write(pixels, label, Math.round(left), baseline);
  });
  return { width: WIDTH, height: HEIGHT, pixels, palette: PALETTE };
}

// What happened at all is at least four pixels tall.
function barHeight(count: number, top: number, room: number): number {
  if (count <= 0 || top <= 0) return 0;
  return Math.max(4, Math.round((room * Math.log1p(count)) / Math.log1p(top)));
}

function fill(
  pixels: Uint8Array,
  colour: number,
  left: number,
  top: number,
  width: number,
  height: number,
): void {
  for (let row = Math.max(0, top); row < Math.min(HEIGHT, top + height); row++) {
    pixels.fill(colour, row * WIDTH + Math.max(0, left), row * WIDTH + Math.min(WIDTH, left + width));
  }
}

const GLYPH_HEIGHT = 7;
const GLYPH_WIDTH = 5;

// Five by seven dots each, a row a number, the leftmost dot the highest bit.
const GLYPHS: Record<string, readonly number[]> = {
  "0": [14, 17, 19, 21, 25, 17, 14],
  "1": [4, 12, 4, 4, 4, 4, 14],
  "2": [14, 17, 1, 2, 4, 8, 31],
  "3": [31, 2, 4, 2, 1, 17, 14],
  "4": [2, 6, 10, 18, 31, 2, 2],
  "5": [31, 16, 30, 1, 1, 17, 14],
  "6": [6, 8, 16, 30, 17, 17, 14],
  "7": [31, 1, 2, 4, 8, 8, 8],
  "8": [14, 17, 17, 14, 17, 17, 14],
  "9": [14, 17, 17, 15, 1, 2, 12],
  ":": [0, 4, 4, 0, 4, 4, 0],
};

function textWidth(text: string): number {
  return text.length * (GLYPH_WIDTH + 1) * PIXEL;
}

function write(pixels: Uint8Array, text: string, left: number, top: number): void {
  [...text].forEach((char, index) => {
    const rows = GLYPHS[char] ?? [];
    const from = left + index * (GLYPH_WIDTH + 1) * PIXEL;
    rows.forEach((bits, row) => {
      for (let column = 0; column < GLYPH_WIDTH; column++) {
        if ((bits & (1 << (GLYPH_WIDTH - 1 - column))) === 0) continue;
        fill(pixels, LABEL, from + column * PIXEL, top + row * PIXEL, PIXEL, PIXEL);
      }
    });
  });
}
