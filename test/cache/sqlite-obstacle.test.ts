/** What is said where the native part of SQLite is missing, or was made for another version of Node.js. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sqliteObstacle } from '../../src/cache/sqlite-obstacle.ts';

/** As Node.js and `bindings` say it. */
const otherNode = `The module '/opt/it/build/Release/better_sqlite3.node'
was compiled against a different Node.js version using
NODE_MODULE_VERSION 115. This version of Node.js requires
NODE_MODULE_VERSION 127. Please try re-compiling or re-installing
the module (for instance, using \`npm rebuild\` or \`npm install\`).`;
const missing = 'Could not locate the bindings file. Tried:\n → /opt/it/build/better_sqlite3.node';

test('another Node.js than SQLite was made for is told as that, and where to mend it', () => {
  assert.equal(
    sqliteObstacle(new Error(otherNode), '/opt/it'),
    `The SQLite module can't be loaded: it was made for another version of Node.js than this, ${process.versions.node}. ` +
      'Run "npm rebuild better-sqlite3" in /opt/it, with this Node.js; ' +
      'where no ready-made binary exists that needs python3, make and a C++ compiler.',
  );
  const again = "Module did not self-register: '/opt/it/build/Release/better_sqlite3.node'.";
  assert.equal(sqliteObstacle(new Error(again), '/opt/it'), sqliteObstacle(new Error(otherNode), '/opt/it'));
  assert.match(
    sqliteObstacle(new Error(missing), '/opt/it'),
    /loaded: its native part is not installed\. Run "npm/,
  );
});
