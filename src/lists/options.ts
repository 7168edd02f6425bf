import { PROXY_PROTOCOLS, type ProxyProtocol } from '../model/proxy.ts';
import { invalidInput } from '../model/validation.ts';

/** The forms of a line with a login: each says which part is the host and which the login. */
export const LINE_FORMS = [
  'user:pass@host:port',
  'host:port@user:pass',
  'host:port:user:pass',
  'user:pass:host:port',
] as const;
export type LineForm = (typeof LINE_FORMS)[number];

/** `auto` looks at the list's beginning. `text`, `urls` and `template` take all forms of a line; `colon` is `host:port:user:pass`. */
export const LIST_FORMATS = [
  'auto',
  'text',
  'urls',
  'template',
  'colon',
  ...LINE_FORMS,
  'csv',
  'json',
  'clash',
  'proxychains',
] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

export interface ParseOptions {
  /** The protocol of lines and records without one. Default `http`. */
  protocol?: ProxyProtocol | undefined;
  /** Reject lines and records that name no protocol. Default false. */
  strictProtocol?: boolean | undefined;
  /** Default `auto`. The name of a form decides how an ambiguous line is read. */
  format?: ListFormat | undefined;
}

/** @throws INVALID_INPUT for an option outside its range, with what is allowed. */
export function assertParseOptions(options: ParseOptions): void {
  if (typeof options !== 'object' || options === null) throw invalidInput('The options must be an object.');
  const { format, protocol, strictProtocol } = options;
  if (format !== undefined && !LIST_FORMATS.includes(format))
    throw invalidInput(`format must be one of ${LIST_FORMATS.join(', ')}.`);
  if (protocol !== undefined && !PROXY_PROTOCOLS.includes(protocol))
    throw invalidInput(`protocol must be one of ${PROXY_PROTOCOLS.join(', ')}.`);
  if (strictProtocol !== undefined && typeof strictProtocol !== 'boolean')
    throw invalidInput('strictProtocol must be true or false.');
}
