/** FNV-1a, 32 bits, mixed: http://www.isthe.com/chongo/tech/comp/fnv/ The same in every process. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return mixed(hash);
}

/** The last step of MurmurHash3, which spreads every bit over all. Gives 32 bits without a sign. */
export function mixed(number: number): number {
  let hash = number ^ (number >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
