import { MAX_LOGIN_PART } from '../../model/login.ts';
import { webUrlProblem } from '../../model/web-url.ts';
import type { ListedProxy } from '../verdicts.ts';
import { MASK } from './mask.ts';
import { Refused } from './refused.ts';

/** RFC 1929, section 2: the lengths are one byte. */
const MAX_SOCKS5_BYTES = 255;

/** @throws Refused (bad-credentials, bad-encoding) for a login that the pool cannot hold or the proxy cannot take. */
export function assertCredentials({ protocol, username = '', password = '', rotateUrl }: ListedProxy): void {
  if (rotateUrl !== undefined) assertRotateUrl(rotateUrl);
  if (username === '' && password === '') return;
  if (username === MASK && password === MASK)
    throw new Refused('bad-credentials', 'the login is masked: export with --reveal');
  assertPart('username', username, protocol);
  assertPart('password', password, protocol);
}

function assertRotateUrl(url: string): void {
  if (url === MASK) throw new Refused('bad-credentials', 'the change-IP URL is masked: export with --reveal');
  const problem = webUrlProblem(url);
  if (problem !== null) throw new Refused('bad-credentials', `the change-IP URL is not valid: ${problem}`);
}

function assertPart(name: string, text: string, protocol: string): void {
  if (text.length > MAX_LOGIN_PART)
    throw new Refused('bad-credentials', `the ${name} is longer than ${MAX_LOGIN_PART} characters`);
  if (/\p{Cc}/u.test(text)) throw new Refused('bad-credentials', `the ${name} has a control character`);
  if (!text.isWellFormed())
    throw new Refused('bad-encoding', `the ${name} is not well-formed Unicode: save the list as UTF-8`);
  if (protocol === 'socks5' && text.length > 63 && Buffer.byteLength(text) > MAX_SOCKS5_BYTES)
    throw new Refused(
      'bad-credentials',
      `the ${name} is longer than the ${MAX_SOCKS5_BYTES} bytes of SOCKS5`,
    );
}
