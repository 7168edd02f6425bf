import { MAX_NAME, MAX_REGION, MAX_WEIGHT } from '../../model/proxy.ts';
import { Refused } from '../parts/refused.ts';
import type { ListedProxy } from '../verdicts.ts';
import type { Fields } from './fields.ts';
import { readGeolocation } from './geolocation.ts';
import { readResponseTime } from './response-time.ts';
import { nameOrMember } from './unread-names.ts';
import { isKnown, plainText, readFlag, readText } from './values.ts';

/** A name that has a URL with a login in it, or a line of a list. */
const NAME_WITH_LOGIN = /:\/\/\S*@|\S:\S+@\S+:\d|:\d{1,5}[:;,#@|]\S*[:;,@|]\S/;

/** What a record says beside address, protocol and login. */
export function readDetails(fields: Fields): { proxy: Partial<ListedProxy>; notes: string[] } {
  const { geolocation, notes: placeNotes } = readGeolocation(fields);
  const notes = [...placeNotes];
  const latency = readResponseTime(fields);
  const leftOut: string[] = [];
  const name = readLabel('name', fields.get('name'), MAX_NAME, leftOut);
  const region = readLabel('region', fields.get('region'), MAX_REGION, leftOut);
  const proxy: Partial<ListedProxy> = {};
  if (name !== undefined) proxy.name = name;
  if (region !== undefined) proxy.region = region;
  if (geolocation !== undefined) proxy.geolocation = geolocation;
  if (typeof latency === 'number') proxy.latency = latency;
  const status = fields.member('status');
  const place = fields.member('nested');
  if (place && typeof place.value !== 'object') fields.unread.push(place);
  if (status?.value === 'disabled') proxy.status = 'disabled';
  else if (status && isKnown(status.value)) fields.unread.push(status);
  const rotateUrl = readRotateUrl(fields);
  if (rotateUrl !== undefined) proxy.rotateUrl = rotateUrl;
  const remoteDns = readRemoteDns(fields, notes);
  if (remoteDns !== undefined) proxy.remoteDns = remoteDns;
  const weight = readWeight(fields, leftOut);
  if (weight !== undefined) proxy.weight = weight;
  const gateway = readGateway(fields);
  if (gateway !== undefined) proxy.gateway = gateway;
  if (typeof latency === 'object') leftOut.push(latency.leftOut);
  return { proxy, notes: [...notes, ...leftOut] };
}

function readLabel(what: string, value: unknown, most: number, leftOut: string[]): string | undefined {
  if (value === undefined) return undefined;
  const text = readText(value, most);
  if (text === undefined)
    leftOut.push(`the ${what} was left out: it is not a printable text of up to ${most} characters`);
  else if (NAME_WITH_LOGIN.test(text))
    leftOut.push(`the ${what} was left out: it looks as if it held a login`);
  else return text;
  return undefined;
}

/** With as many digits as a number has, since an export of it must read back. */
function readWeight(fields: Fields, leftOut: string[]): number | undefined {
  const value = fields.get('weight');
  if (!isKnown(value)) return undefined;
  const isNumeric =
    typeof value === 'number' || /^\s*\d+(?:\.\d+)?(?:e[+-]?\d+)?\s*$/i.test(plainText(value));
  const weight = isNumeric ? Number(value) : Number.NaN;
  if (weight > 0 && weight <= MAX_WEIGHT) return weight;
  leftOut.push(`the weight was left out: it is not a number above 0, of at most ${MAX_WEIGHT}`);
  return undefined;
}

/** What other tools call a gateway may be anything, such as the address of a router. */
function readGateway(fields: Fields): boolean | undefined {
  const member = fields.member('gateway');
  if (member === undefined || !isKnown(member.value)) return undefined;
  const flag = readFlag(member.value);
  if (flag === undefined) fields.unread.push(member);
  return flag;
}

function readRotateUrl(fields: Fields): string | undefined {
  const member = fields.member('rotateUrl');
  if (member === undefined || !isKnown(member.value)) return undefined;
  const { name, value } = member;
  // What else it must be is judged with the login.
  if (typeof value === 'string') return value;
  throw new Refused('bad-record', `${nameOrMember(name)} is not a URL of http or https`);
}

function readRemoteDns(fields: Fields, notes: string[]): boolean | undefined {
  const proxyDns = fields.member('proxyDns');
  if (proxyDns) {
    if (readFlag(proxyDns.value) === false)
      notes.push('proxyDNS is false, and was not read: a list does not make names be resolved locally');
    else if (readFlag(proxyDns.value) === undefined) fields.unread.push(proxyDns);
  }
  const member = fields.member('remoteDns');
  if (member === undefined) return readFlag(proxyDns?.value) === true ? true : undefined;
  const flag = readFlag(member.value);
  if (flag === undefined)
    throw new Refused('bad-record', `${nameOrMember(member.name)} is neither true nor false`);
  return flag;
}
