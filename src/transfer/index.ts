/** A pool's way in and out: lists into the database, and the database into lists. */
export { type ExportOptions, exportProxies, type LeftOut } from './export.ts';
export { importProxies } from './import.ts';
export type { ImportListOptions, ImportProgress } from './import-options.ts';
export type { ImportResult, NotePlace, Refusal } from './import-result.ts';
export type { NamedList } from './named-lists.ts';
export type { MaxRemove, Removal } from './removal.ts';
