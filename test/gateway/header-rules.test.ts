import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endToEndHeaders } from '../../src/gateway/end-to-end-headers.ts';
import { framingProblem, hostDisagrees } from '../../src/gateway/framing.ts';

const HOST = ['Host', 'a.example'];

describe('the headers that leave', () => {
  it('are those for the target, in their order, their case and as often as they were there', () => {
    const headers = [...HOST, 'COOKIE', 'a=1', 'accept', '*/*', 'Cookie', 'b=2', 'cookie', 'a=1'];
    expect(endToEndHeaders(headers)).toEqual(headers);
  });

  it.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'Proxy-Authentication-Info',
    'Proxy-Authorization',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'X-Proxyvault-Session',
    'X-Proxyvault-Unknown',
  ])('are without %s, in any case and however often', (name) => {
    const others = [name, 'x', name.toLowerCase(), 'y', name.toUpperCase(), 'z'];
    expect(endToEndHeaders([...others, ...HOST, ...others])).toEqual(HOST);
  });

  it('are without those that Connection names, in several headers and in any case', () => {
    const headers = [
      'X-A',
      '1',
      'connection',
      'x-a , ,X-B',
      'x-b',
      '2',
      'X-C',
      '3',
      'CONNECTION',
      'x-C',
      'X-D',
      '4',
    ];
    expect(endToEndHeaders(headers)).toEqual(['X-D', '4']);
  });

  it('keep Host and Content-Length, which Connection cannot take away', () => {
    const headers = ['Connection', 'host, content-length, close', ...HOST, 'Content-Length', '5'];
    expect(endToEndHeaders(headers)).toEqual([...HOST, 'Content-Length', '5']);
  });

  it('are a part of what came, and stay the same if they come again', () => {
    const name = fc.oneof(
      fc.constantFrom('Connection', 'connection', 'TE', 'A', 'b', 'X-Proxyvault-A', 'Host'),
    );
    const value = fc.constantFrom('a', 'B, te', 'close', '', 'host', ' b ');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
        const once = endToEndHeaders(pairs.flat());
        expect(endToEndHeaders(once)).toEqual(once);
        const left = pairs.map((pair) => pair.join(':'));
        for (let at = 0; at < once.length; at += 2) {
          const found = left.indexOf(`${once[at]}:${once[at + 1]}`);
          expect(found).toBeGreaterThanOrEqual(0);
          left.splice(0, found + 1);
        }
      }),
    );
  });
});

describe('framing', () => {
  it('is clear for what clients send', () => {
    for (const [headers, method] of [
      [[], 'GET'],
      [['Content-Length', '5'], 'POST'],
      [['content-length', '0'], 'CONNECT'],
      [['Transfer-Encoding', 'chunked'], 'PUT'],
      [['Transfer-Encoding', 'chunked'], 'DELETE'],
      [['Connection', 'keep-alive', 'X-\u00e9'.slice(0, 1), '\u00e9\t!'], 'GET'],
      [['Connection', 'Upgrade', 'Upgrade', 'websocket'], 'GET'],
    ] as const)
      expect([headers, framingProblem([...HOST, ...headers], method, '1.1')]).toEqual([headers, null]);
    expect(framingProblem([], 'GET', '1.0')).toBeNull();
  });

  // The parser of node:http refuses these before we see them, in the versions that we know.
  it.each([
    [['Content-Length', '5', 'content-length', '5']],
    [['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
    [['Content-Length', '+5']],
    [['Content-Length', '']],
    [['Content-Length', '5, 5']],
    [['Content-Length', '1'.repeat(16)]],
    [['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    [['Transfer-Encoding', 'chunked, identity']],
    [['Transfer-Encoding', '\u000bchunked']],
    [['Transfer-Encoding', '']],
    [['A ', 'b']],
    [['A', 'b\r\n c']],
    [['A', 'b\nc']],
    [['A', 'b\0']],
    [['A\0', 'b']],
    [['', 'b']],
    [['A', '\u20ac']],
    [['A']],
  ])('is not clear for %j', (headers) => {
    expect(framingProblem([...HOST, ...headers], 'POST', '1.1')).toMatch(/^[A-Z].*\.$/);
  });

  it('is clear only with at most one of Content-Length and Transfer-Encoding, whatever the headers are', () => {
    const name = fc.oneof(
      fc.constantFrom(
        'Content-Length',
        'content-length',
        'Transfer-Encoding',
        'TRANSFER-ENCODING',
        'Host',
        'A',
      ),
      fc.string(),
    );
    const value = fc.oneof(fc.constantFrom('chunked', '5', '0', 'a.example'), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), fc.constantFrom('1.0', '1.1'), (pairs, version) => {
        const headers = [...(version === '1.1' ? HOST : []), ...pairs.flat()];
        if (framingProblem(headers, 'POST', version) !== null) return;
        const framing = pairs.filter(([each]) => /^(?:content-length|transfer-encoding)$/i.test(each));
        expect(framing.length).toBeLessThanOrEqual(1);
        for (const [, text] of framing) expect(text).toMatch(/^(?:chunked|\d+)$/i);
      }),
    );
  });
});

describe('Host', () => {
  const target = { host: 'a.example', port: 80 };

  it.each(['a.example', 'A.Example', 'a.example:80', 'A.EXAMPLE.:80'])('agrees as %s', (host) => {
    expect(hostDisagrees(['Host', host], target)).toBeNull();
  });

  it.each([
    'b.example',
    'a.example:81',
    'a.example.b',
    'u@a.example',
    'u:p@a.example:80',
    '',
    'a.example,b.example',
    'a.example:080',
    ' a.example',
  ])('disagrees as %j', (host) => {
    expect(hostDisagrees(['hOST', host], target)).toMatch(/^Host /);
  });

  it('is as the target has IPv6 and other ports', () => {
    const other = { host: '2001:db8::1', port: 8080 };
    expect(hostDisagrees(['Host', '[2001:DB8:0::1]:8080'], other)).toBeNull();
    expect(hostDisagrees(['Host', '[2001:db8::1]'], other)).not.toBeNull();
    expect(hostDisagrees(['Host', '2001:db8::1:8080'], other)).not.toBeNull();
  });

  it('may be missing, as HTTP/1.0 allows', () => {
    expect(hostDisagrees(['A', 'b.example'], target)).toBeNull();
  });

  it('disagrees if one of several does', () => {
    expect(hostDisagrees(['Host', 'a.example', 'Host', 'b.example'], target)).not.toBeNull();
  });
});
