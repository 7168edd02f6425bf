// The build puts the YAML library into this file (whole-yaml.config.ts). A bundler would otherwise take the library's CommonJS
// files, which fail in a bundle of ES modules.
import { parseDocument } from 'yaml';

/**
 * The value of a YAML text. All scalars but null are texts, so that a password of digits keeps its zeros.
 * Undefined if the text is not YAML, or refers to another place.
 */
export function parseYaml(text: string): unknown {
  try {
    const document = parseDocument(text, { schema: 'failsafe', customTags: ['null'], logLevel: 'silent' });
    if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    return undefined;
  }
}
