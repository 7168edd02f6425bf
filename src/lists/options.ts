import { ProxyVaultError } from '../errors.ts';
import { PROXY_PROTOCOLS } from '../model/proxy.ts';
import { LIST_FORMATS, type ParseOptions } from './verdicts.ts';

/** @throws INVALID_INPUT for an option outside its range, with what is allowed. */
export function assertParseOptions(options: ParseOptions): void {
  if (typeof options !== 'object' || options === null) throw invalid('The options must be an object.');
  const { format, protocol, strictProtocol } = options;
  if (format !== undefined && !LIST_FORMATS.includes(format))
    throw invalid(`format must be one of ${LIST_FORMATS.join(', ')}.`);
  if (protocol !== undefined && !PROXY_PROTOCOLS.includes(protocol))
    throw invalid(`protocol must be one of ${PROXY_PROTOCOLS.join(', ')}.`);
  if (strictProtocol !== undefined && typeof strictProtocol !== 'boolean')
    throw invalid('strictProtocol must be true or false.');
}

function invalid(message: string): ProxyVaultError {
  return new ProxyVaultError('INVALID_INPUT', message);
}
