/** Proxy lists in and out. Pure: knows no database. */
export { parseProxyLine } from './line.ts';
export { type ListVerdict, parseProxyList } from './list.ts';
export { MASK } from './mask.ts';
export type { LineVerdict, ListedProtocol, ListedProxy, ParseOptions, RefusalCode } from './types.ts';
export { formatProxyUrl } from './url.ts';
