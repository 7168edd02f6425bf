// What a process has in memory, after everything that can be freed was freed. It needs --expose-gc.

/** @returns {Promise<{rss: number, held: number}>} in MB; `held` is the heap and the buffers */
export async function memoryHeld() {
  for (let n = 0; n < 3; n++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss: rss / 1e6, held: (heapUsed + arrayBuffers) / 1e6 };
}
