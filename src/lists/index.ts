/** Proxy lists in and out. Knows no database, and reads no file but that of `{ file }`. */
export type { Geolocation as ListedGeolocation } from '../model/geolocation.ts';
export type { ProxyProtocol as ListedProtocol } from '../model/proxy.ts';
export { type FormatOptions, type Formatted, ListFormatter } from './format.ts';
export { parseProxyLine } from './line/line.ts';
export { parseProxyList } from './list.ts';
export { MASK } from './mask.ts';
export type { ListSource } from './source.ts';
export { fillTemplate, placeholdersOf, type TemplateValues } from './template.ts';
export {
  LIST_FORMATS,
  type LineVerdict,
  type ListedProxy,
  type ListFormat,
  type ListVerdict,
  type ParseOptions,
  type RefusalCode,
} from './types.ts';
export { formatAddress, formatProxyUrl } from './url.ts';
export { EXPORT_FORMATS, type ExportFormat, type LostPart } from './writers.ts';
