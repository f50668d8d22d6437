import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGpgOptions } from '../../src/keys/gpg-options.ts';

test('parseGpgOptions() knows no option by what every object has', () => {
  for (const name of ['constructor', 'toString', '__proto__']) {
    const { ignored, unsupported } = parseGpgOptions(`--${name}`);
    assert.deepEqual([ignored, unsupported], [[], [{ option: `--${name}`, why: 'it is not known here' }]]);
  }
});

test('parseGpgOptions() takes an --s2k-count, and says of one that is none', () => {
  assert.equal(parseGpgOptions('--s2k-count=1024').used.s2kCount, 1024);
  for (const wrong of ['1023', '1e9.5', 'many', '-5']) {
    const { used, unsupported } = parseGpgOptions(`--s2k-count ${wrong}`);
    assert.equal(used.s2kCount, undefined);
    assert.deepEqual(unsupported, [{ option: '--s2k-count', why: 'counts are from 1024' }]);
  }
});
