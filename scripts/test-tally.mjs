// A reporter for scripts/test.mjs: one JSON object with what ran. Node itself counts a file that holds no test as
// a passed test, and a run of nothing as a success.
const NOT_ASKED_FOR = 'test name does not match pattern';

export default async function* tally(source) {
  let passed = 0;
  let failed = 0;
  const skipped = [];
  const empty = [];
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { name, skip, details } = data;
    if (details?.type === 'suite' || skip === NOT_ASKED_FOR) continue;
    if (type === 'test:fail') failed++;
    else if (skip !== undefined) skipped.push({ name, reason: skip === true ? '' : skip });
    else if (name.endsWith('.test.js')) empty.push(name);
    else passed++;
  }
  yield JSON.stringify({ passed, failed, skipped, empty });
}
