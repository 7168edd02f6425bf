import type { z } from 'zod';

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  tuple: 'an array',
  object: 'an object',
  record: 'an object',
};

/**
 * What is wrong with a field, for a person: what is allowed there, and never the value that was given. A schema's own message
 * goes before it. Undefined leaves the message to zod.
 */
export function issueText(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = `must be ${TYPES[issue.expected] ?? issue.expected}`;
      return issue.input === undefined ? `is missing: it ${wanted}` : wanted;
    }
    case 'invalid_value':
      return oneOf(issue.values);
    case 'invalid_union':
      return Array.isArray(issue.options) ? oneOf(issue.options) : undefined;
    case 'too_small':
      return limit(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return limit(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'unrecognized_keys':
      return unknownNames(issue);
    case 'invalid_key':
      return `has a name that is not valid: it ${issue.issues.map(({ message }) => message).join(', ')}`;
    default:
      return undefined;
  }
}

function oneOf(values: readonly z.core.util.Primitive[]): string {
  const allowed = values.map(String).join(', ');
  return values.length === 1 ? `must be ${allowed}` : `must be one of ${allowed}`;
}

function limit(origin: string, comparison: string, bound: number | bigint): string {
  const things: Record<string, string> = { string: 'characters', array: 'items' };
  const counted = things[origin];
  if (counted === undefined) return `must be ${comparison} ${bound}`;
  return bound === 1 && comparison === 'at least'
    ? 'must not be empty'
    : `must have ${comparison} ${bound} ${counted}`;
}

function unknownNames({ keys, inst }: z.core.$ZodRawIssue<z.core.$ZodIssueUnrecognizedKeys>): string {
  const unknown = keys.map((key) => JSON.stringify(key.slice(0, 64))).join(', ');
  const shape = inst !== undefined && 'shape' in inst ? inst.shape : {};
  return `has no ${unknown}; there are ${Object.keys(Object(shape)).join(', ')}`;
}
