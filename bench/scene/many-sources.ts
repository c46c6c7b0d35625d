// Addresses without end, each another: those of 11.0.0.0/8.

/** @param n from 0 on */
export const sourceNumber = (n: number): string => `11.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
