import { type IncomingMessage, validateHeaderValue } from 'node:http';

/** Whether Node would refuse to send the header of an answer on, though its own parser has let it in. */
export function isMalformed({ statusCode = 0, statusMessage = '', rawHeaders }: IncomingMessage): boolean {
  // A final answer has a status from 200.
  if (statusCode < 101 || (statusCode < 200 && statusCode !== 101)) return true;
  try {
    validateHeaderValue('status-message', statusMessage);
    for (let at = 0; at < rawHeaders.length; at += 2)
      validateHeaderValue(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
    return false;
  } catch {
    return true;
  }
}
