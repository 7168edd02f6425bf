import { inject } from 'vitest';

/**
 * A generator of numbers from 0, inclusive, to 1, exclusive, with 53 random bits each; the same seed gives the same numbers. Without
 * one it is that of the run, which a failing run prints.
 *
 * xoshiro128**, by David Blackman and Sebastiano Vigna: https://prng.di.unimi.it/xoshiro128starstar.c
 */
export function seededRandom(seed: number = inject('seed')): () => number {
  const next = xoshiro128(splitMix(seed));
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}

/** Whole numbers of 32 bits from a state of four, of which at least one is not 0. */
export function xoshiro128([a, b, c, d]: readonly [number, number, number, number]): () => number {
  let [s0, s1, s2, s3] = [a | 0, b | 0, c | 0, d | 0];
  return () => {
    const result = Math.imul(rotated(Math.imul(s1, 5), 7), 9) >>> 0;
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = rotated(s3, 11);
    return result;
  };
}

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** Seeds that differ in one bit begin far apart: the finaliser of MurmurHash3 over a Weyl sequence. */
function splitMix(seed: number): [number, number, number, number] {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  };
  return [next(), next(), next(), next()];
}
