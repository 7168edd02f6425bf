import { type ErrorCode, ProxyVaultError } from 'proxyvault';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../src/errors.ts';

describe('an error', () => {
  it.each(Object.entries(ERROR_CODES) as [ErrorCode, string][])('%s says "%s", or more', (code, message) => {
    expect(new ProxyVaultError(code)).toMatchObject({ name: 'ProxyVaultError', code, message, details: {} });
    expect(new ProxyVaultError(code, 'More.')).toMatchObject({ code, message: 'More.' });
    expect(String(new ProxyVaultError(code, 'More.'))).toBe('ProxyVaultError: More.');
    expect(message).toMatch(/^[a-z][^.]+$|^input\/output error$/);
  });

  it('has its cause and its facts, if there are any', () => {
    const cause = new Error('beneath');
    const details = { path: 'x', line: 0, isFirst: false };
    expect(new ProxyVaultError('IO', 'x', { cause, details })).toMatchObject({ cause, details });
    expect(new ProxyVaultError('IO', 'x', { cause: null }).cause).toBeNull();
    expect(new ProxyVaultError('IO')).toBeInstanceOf(Error);
    expect('cause' in new ProxyVaultError('IO', 'x', { details })).toBe(false);
  });
});
