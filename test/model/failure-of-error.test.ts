import { describe, expect, it } from 'vitest';

import { ProxyVaultError } from '../../src/errors.ts';
import { failureOfError } from '../../src/model/failure-of-error.ts';

const withCode = (code: unknown): Error => Object.assign(new Error('x'), { code });

describe('what an error says about a proxy', () => {
  it.each([
    ['ECONNRESET', 'reset'],
    ['EPIPE', 'reset'],
    ['UND_ERR_SOCKET', 'reset'],
    ['ERR_STREAM_PREMATURE_CLOSE', 'reset'],
    ['ETIMEDOUT', 'timeout'],
    ['UND_ERR_HEADERS_TIMEOUT', 'timeout'],
    ['ERR_SOCKET_CONNECTION_TIMEOUT', 'timeout'],
    ['HPE_INVALID_CONSTANT', 'protocol'],
  ])('is a failure if its code is %s: %s', (code, kind) => {
    expect(failureOfError(withCode(code))).toEqual({ kind });
  });

  it.each([
    ['a fault of this program', new TypeError('x is not a function')],
    ['a header that cannot be sent', withCode('ERR_INVALID_CHAR')],
    ['a request that undici does not take', withCode('UND_ERR_INVALID_ARG')],
    ['a client that was closed', withCode('UND_ERR_CLOSED')],
    ['an abort', new DOMException('left', 'AbortError')],
    ['no error', null],
    ['another error of ours', new ProxyVaultError('BUSY', 'x', { details: { kind: 'reset' } })],
  ])('is nothing if it is %s', (_, error) => {
    expect(failureOfError(error)).toBeNull();
  });

  it('is what an error of a connection has in its details', () => {
    const details = { kind: 'blocked', phase: 'handshake', status: 429, retryAfterMs: 9_000 };
    expect(failureOfError(new ProxyVaultError('PROXY_FAILED', 'x', { details }))).toEqual({
      kind: 'blocked',
      status: 429,
      retryAfterMs: 9_000,
    });
    expect(
      failureOfError(new ProxyVaultError('PROXY_FAILED', 'x', { details: { kind: 'mood', status: 'bad' } })),
    ).toEqual({});
  });
});
