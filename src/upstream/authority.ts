import { isIPv6 } from 'node:net';

import { invalidInput } from '../model/validation.ts';
import type { Target } from './upstream.ts';

/** What a name may have on its way to a proxy: no space, no line break, nothing that a header or a URL could take for its own. */
const NAME = /^[\w.-]{1,255}$/;

/** The target without the brackets that an IPv6 address may have. @throws INVALID_INPUT. */
export function checkedTarget({ host, port }: Target): Target {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  const isAddress = isIPv6(bare) && !bare.includes('%');
  if (!isAddress && !NAME.test(bare))
    throw invalidInput('The host of a target must be an ASCII name, an IPv4 or an IPv6 address.');
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw invalidInput('The port of a target must be a whole number from 1 to 65535.');
  return { host: bare, port };
}
