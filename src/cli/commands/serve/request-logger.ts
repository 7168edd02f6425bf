import type { GatewayLogger, RequestLog } from '../../../gateway/index.ts';
import { jsonLine } from '../../output.ts';
import { type Text, text, writeOut } from '../../terminal.ts';

export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Prints a line for each request: ids and hosts, never a login. */
export function requestLogger(format: LogFormat, now: () => Date = () => new Date()): GatewayLogger {
  const log = (level: 'info' | 'warn') => (fields: object, message: string) => {
    const time = now().toISOString();
    const line =
      format === 'json'
        ? jsonLine({ time, level, message, ...fields })
        : text`${time} ${isRequest(fields) ? requestLine(fields) : message}`;
    writeOut(text`${line}\n`);
  };
  return { info: log('info'), warn: log('warn') };
}

function isRequest(fields: object): fields is RequestLog {
  return 'protocol' in fields && 'outcome' in fields;
}

/** Such as `ok connect shop.example:443 203ms out=517 in=2048 proxy=01ab… tried=02cd…:connect`. */
function requestLine(log: RequestLog): Text {
  const { outcome, protocol, method, target, ms, status, reason, detail, client, user, session } = log;
  const { proxy, lease, bytesOut, bytesIn, tried = [] } = log;
  const fields = Object.entries({
    status,
    reason,
    detail,
    client,
    user,
    session,
    out: bytesOut,
    in: bytesIn,
    proxy,
    lease,
    tried: tried.map((each) => `${each.proxy}:${each.kind}`).join(',') || undefined,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${quoted(String(value))}`]));
  const what = protocol === 'http' || protocol === 'upgrade' ? `${protocol} ${method}` : protocol;
  return text`${outcome} ${what} ${target} ${ms}ms ${fields.join(' ')}`;
}

/** A value with spaces is in quotes, so that a line can be cut at the spaces. */
function quoted(value: string): string {
  return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
}
