/** A JSON Schema (draft 2020-12) of profiles, for editors that check TOML against one. */

import { hasForms, INLINE_SECRETS, type KeySpec, secretForms, type TableSpec, tables } from './keys.ts';

/** An option of the command line, as far as a schema needs to know. */
export interface SchemaOption {
  readonly long: string;
  readonly kind: string;
  readonly help: string;
  readonly repeatable?: boolean;
  readonly ordered?: boolean;
  readonly hidden?: boolean;
  readonly typedOnly?: boolean;
}

type Schema = Record<string, unknown>;

export function profileSchema(options: readonly SchemaOption[]): Schema {
  const top = tables.find(({ table }) => table === '')!;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Profile of tsbackup',
    ...objectOf(top, {
      [INLINE_SECRETS]: { type: 'boolean', description: 'whether secrets may stand in this file' },
      options: optionsSchema(options),
    }),
  };
}

function objectOf(spec: TableSpec, more: Schema = {}): Schema {
  const inner = tables.filter(({ table }) => isDirectlyIn(table, spec.table));
  const properties: Schema = { ...more };
  for (const key of spec.keys) Object.assign(properties, propertiesOf(key));
  for (const table of inner) {
    const own = objectOf(table);
    properties[table.table.split('.').at(-1)!] = table.many ? { type: 'array', items: own } : own;
  }
  // A secret may come in any of its forms.
  const required = spec.keys.filter(key => key.required && !hasForms(key.kind)).map(({ key }) => key);
  return {
    ...{ type: 'object', description: `${spec.help}.`, properties, additionalProperties: false },
    ...(required.length > 0 && { required }),
  };
}

function isDirectlyIn(table: string, parent: string): boolean {
  if (table === '') return false;
  const at = table.lastIndexOf('.');
  return (at < 0 ? '' : table.slice(0, at)) === parent;
}

function propertiesOf({ key, kind, choices, help }: KeySpec): Schema {
  const description = `${help}.`;
  const text = { type: 'string', minLength: 1, ...(choices && { enum: choices }) };
  if (hasForms(kind)) {
    return Object.fromEntries(
      [key, ...secretForms.map(form => `${key}-${form}`)].map(name => [name, { ...text, description }]),
    );
  }
  if (kind === 'count') return { [key]: { type: 'integer', minimum: 0, description } };
  if (kind === 'texts') {
    return { [key]: { anyOf: [text, { type: 'array', items: text }], description } };
  }
  return { [key]: { ...text, description } };
}

function optionsSchema(options: readonly SchemaOption[]): Schema {
  const known = options.filter(({ hidden, typedOnly }) => !hidden && !typedOnly);
  const properties = Object.fromEntries(
    known.map(({ long, kind, help, repeatable, ordered }) => {
      const one =
        kind === 'flag'
          ? { type: 'boolean' }
          : { type: kind === 'count' ? 'integer' : ['string', 'integer'] };
      const isList = kind !== 'flag' && (repeatable || ordered);
      const schema = isList ? { anyOf: [one, { type: 'array', items: one }] } : one;
      return [long, { ...schema, description: help }];
    }),
  );
  return {
    type: 'object',
    description: 'Options of the command line, by their long names.',
    properties,
    additionalProperties: false,
  };
}
