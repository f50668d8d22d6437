/** The example in docs/profiles.md is a profile, and the schema for editors is what the tables make of it. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { optionNames, options } from '../../src/cli/options.ts';
import { hasForms, secretForms, tables } from '../../src/profiles/keys.ts';
import { parseProfile } from '../../src/profiles/parse.ts';
import { profileSchema } from '../../src/profiles/schema.ts';

const read = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url)), 'utf8');

test('the profile in docs/profiles.md is read as it stands, and shows every table', () => {
  const example = /```toml\n([\s\S]*?)```/.exec(read('profiles.md'))![1]!;
  const parsed = parseProfile(
    example,
    '/etc/tsbackup/pictures.toml',
    name => optionNames.includes(name),
    optionNames,
  );
  assert.deepEqual(Object.keys(parsed.tables).sort(), tables.map(({ table }) => table).sort());
  assert.equal(parsed.options.get('volsize'), 50);
});

interface Schema {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

test('docs/profile.schema.json knows every key and every option', () => {
  const schema = JSON.parse(read('profile.schema.json')) as Schema;
  assert.deepEqual(schema, JSON.parse(JSON.stringify(profileSchema(options))), 'run npm run docs');
  for (const { table, keys, many } of tables) {
    const place = table.split('.').reduce((at, part) => (part === '' ? at : at.properties[part]!), schema);
    const { properties } = many ? place.items! : place;
    for (const { key, kind } of keys) {
      const names = hasForms(kind) ? [key, ...secretForms.map(form => `${key}-${form}`)] : [key];
      for (const name of names) assert.ok(properties[name], `${table}.${name}`);
    }
  }
  for (const { long, hidden, typedOnly } of options) {
    assert.equal(schema.properties.options!.properties[long] !== undefined, !hidden && !typedOnly, long);
  }
});
