type Column = Int32Array | Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;

/** A longer copy of a column. */
export function grown<T extends Column>(column: T, length: number): T {
  const copy = new (column.constructor as new (length: number) => T)(length);
  copy.set(column);
  return copy;
}
