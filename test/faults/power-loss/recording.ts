/** Reads what file-calls.c has recorded. */
import { readFileSync } from 'node:fs';

/** One call that changed something, or an acknowledgement. Each happened after the one before it. */
export type Recorded =
  | { call: 'open'; descriptor: number; path: string; how: 'existing' | 'new' | 'emptied' }
  | { call: 'close' | 'sync'; descriptor: number }
  | { call: 'write'; descriptor: number; offset: number; data: Buffer }
  | { call: 'truncate'; descriptor: number; size: number }
  | { call: 'rename' | 'link'; path: string; to: string }
  | { call: 'unlink' | 'mkdir'; path: string }
  | { call: 'acknowledge'; text: string };

/** The fixed part of an entry: call, 3 unused, descriptor, number, length of the path, length of the data. */
const HEAD = 24;

export function readRecording(file: string): Recorded[] {
  const log = readFileSync(file);
  const recorded: Recorded[] = [];
  for (let at = 0; at < log.length; ) {
    const pathEnd = at + HEAD + log.readUInt32LE(at + 16);
    const end = pathEnd + log.readUInt32LE(at + 20);
    recorded.push(
      toRecorded(
        String.fromCharCode(log.readUInt8(at)),
        log.readInt32LE(at + 4),
        Number(log.readBigInt64LE(at + 8)),
        log.toString('utf8', at + HEAD, pathEnd),
        log.subarray(pathEnd, end),
      ),
    );
    at = end;
  }
  return recorded;
}

function toRecorded(call: string, descriptor: number, number: number, path: string, data: Buffer): Recorded {
  switch (call) {
    case 'O':
      return {
        call: 'open',
        descriptor,
        path,
        how: number === 1 ? 'new' : number === 2 ? 'emptied' : 'existing',
      };
    case 'C':
      return { call: 'close', descriptor };
    case 'S':
      return { call: 'sync', descriptor };
    case 'W':
      return { call: 'write', descriptor, offset: number, data };
    case 'T':
      return { call: 'truncate', descriptor, size: number };
    case 'R':
      return { call: 'rename', path, to: data.toString() };
    case 'L':
      return { call: 'link', path, to: data.toString() };
    case 'U':
      return { call: 'unlink', path };
    case 'M':
      return { call: 'mkdir', path };
    case 'A':
      return { call: 'acknowledge', text: data.toString() };
    default:
      throw new Error(`The recording is damaged: there is no call ${call}.`);
  }
}
