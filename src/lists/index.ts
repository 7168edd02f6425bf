/** Proxy lists in and out. Knows no database, and reads no file but that of `{ file }`. */
export type { Geolocation } from '../model/geolocation.ts';
export type { ProxyProtocol } from '../model/proxy.ts';
export { parseProxyLine } from './line/parse-line.ts';
export { LIST_FORMATS, type ListFormat, type ParseOptions } from './options.ts';
export { parseProxyList } from './parse-list.ts';
export { MASK } from './parts/mask.ts';
export { fillTemplate, placeholdersOf, type TemplateValues } from './parts/template.ts';
export { formatAddress, formatProxyUrl } from './parts/url.ts';
export type { ListSource } from './source.ts';
export type { LineVerdict, ListedProxy, ListVerdict, RefusalCode } from './verdicts.ts';
export { type FormatOptions, type Formatted, ListFormatter } from './writers/list-formatter.ts';
export { EXPORT_FORMATS, type ExportFormat, type LostPart } from './writers/proxy-writer.ts';
