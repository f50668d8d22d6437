import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGpgOptions } from '../../src/keys/gpg-options.ts';

test('parseGpgOptions() knows no option by what every object has', () => {
  for (const name of ['constructor', 'toString', '__proto__']) {
    const { ignored, unsupported } = parseGpgOptions(`--${name}`);
    assert.deepEqual([ignored, unsupported], [[], [{ option: `--${name}`, why: 'it is not known here' }]]);
  }
});
