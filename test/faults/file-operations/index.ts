/**
 * Everything that the library does with files by itself, and not through SQLite: what file-order.test.ts and
 * file-faults.test.ts try. A new operation is one entry in one of these lists.
 */
export { KEY_FILES } from './key-files.ts';
export { type FileOperation, namesIn } from './operation.ts';
export { OTHER_FILES } from './other-files.ts';
export { POOLS } from './pools.ts';
