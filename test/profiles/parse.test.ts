import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { optionNames } from '../../src/cli/options.ts';
import { BackupError } from '../../src/errors.ts';
import { parseProfile, salvageTables } from '../../src/profiles/parse.ts';
import { formatProfile } from '../../src/profiles/template.ts';

const FILE = '/etc/tsbackup/pictures.toml';
const places = 'source = "/a"\ntarget = "file:///b"\n';

function parse(text: string) {
  return parseProfile(text, FILE, name => optionNames.includes(name), optionNames);
}

test('parseProfile() gives every value its kind', () => {
  const { tables, options } = parse(`
    source = "~/Pictures"
    target = "s3://bucket/x"
    passphrase-file = "pictures.secret"
    nice = 5
    [options]
    volsize = 50
    exclude = ["**/cache", "**/tmp"]
    no-compression = true
    [prune]
    keep-daily = 7
    [mail]
    to = "anna@example.org"
    [mail.smtp]
    host = "mail"
    password-env = "SMTP"
    [[ping]]
    url-command = "echo https://x"
    [[ping]]
    url-credential = "ping"
  `);
  const [top] = tables['']!;
  assert.equal(top!.source, `${process.env.HOME}/Pictures`);
  assert.deepEqual(top!.passphrase, {
    form: 'file',
    value: '/etc/tsbackup/pictures.secret',
    origin: `passphrase-file in ${FILE}`,
  });
  assert.equal(top!.nice, 5);
  assert.deepEqual(
    [...options],
    [
      ['volsize', 50],
      ['exclude', ['**/cache', '**/tmp']],
      ['no-compression', true],
    ],
  );
  assert.deepEqual(tables.prune, [{ 'keep-daily': 7 }]);
  assert.deepEqual(tables.mail![0]!.to, ['anna@example.org']);
  assert.equal(tables['mail.smtp']![0]!.host, 'mail');
  assert.deepEqual(
    tables.ping!.map(({ url }) => (url as { form: string }).form),
    ['command', 'credential'],
  );
});

const wrong: readonly [what: string, text: string, told: RegExp][] = [
  ['no TOML', 'source = ', /line 1 \(source\): /],
  ['a missing source', 'target = "file:///b"', /: source is missing$/],
  ['a mistyped key', `${places}shedule = "daily"`, /line 3: shedule is not known; did you mean schedule\?/],
  [
    'a mistyped option',
    `${places}[options]\nvolsise = 5`,
    /line 4: volsise .* in \[options\]; did you mean volsize\?/,
  ],
  ['a mistyped table', `${places}[mial]\nto = "a"`, /line 3: mial is not known; did you mean mail\?/],
  ['a key of another kind', `${places}nice = "5"`, /nice takes a whole number/],
  ['a negative count', `${places}nice = -5`, /nice takes a whole number/],
  ['an interval that is none', `${places}full-every = "often"`, /full-every takes an interval .*'often'/],
  ['a choice that is none', `${places}[mail]\nto="a"\ntransport="uucp"`, /one of smtp, sendmail, not 'uucp'/],
  [
    'a list with a wrong choice',
    `${places}[mail]\nto="a"\non=["never"]`,
    /always, error, change, not 'never'/,
  ],
  [
    'a secret in the file',
    `${places}passphrase = "x"`,
    /passphrase-file.*or say secrets-in-this-file = true/,
  ],
  ['a secret given twice', `${places}passphrase-file="a"\npassphrase-env="B"`, /given twice/],
  ['a single table of many', `${places}[ping]\nurl-file = "x"`, /ping is written \[\[ping\]\]/],
  ['a table that is a value', `${places}mail = 5`, /mail is a table/],
  ['an option that is a table', `${places}[options.volsize]\nx = 1`, /volsize takes a text, a number/],
  ['a missing key of a table', `${places}[mail]\non = "error"`, /to is missing in \[mail\]/],
  ['an empty text', 'source = ""\ntarget = "file:///b"', /source takes a text/],
];

for (const [what, text, told] of wrong) {
  test(`parseProfile() refuses ${what} in one line that names the file`, () => {
    assert.throws(
      () => parse(text),
      (error: unknown) => {
        assert.ok(error instanceof BackupError && error.code === 'usage', String(error));
        assert.match(error.message, told);
        assert.ok(error.message.startsWith(`${FILE}: `) && !error.message.includes('\n'), error.message);
        return true;
      },
    );
  });
}

test('parseProfile() takes a secret in the file from who insists', () => {
  const { tables } = parse(`secrets-in-this-file = true\n${places}passphrase = "x"`);
  assert.deepEqual(tables['']![0]!.passphrase, {
    form: 'inline',
    value: 'x',
    origin: `passphrase in ${FILE}`,
  });
});

test('parseProfile() reads back what formatProfile() writes, whatever the answers', () => {
  const text = fc
    .string({ unit: 'binary', minLength: 1 })
    .filter(value => !value.includes('\ufffd') && Buffer.from(value).toString() === value);
  fc.assert(
    fc.property(text, text, text, fc.boolean(), (source, passphraseFile, to, hasServer) => {
      const smtp = {
        host: 'h',
        port: 25,
        security: 'none' as const,
        user: undefined,
        passwordFile: undefined,
      };
      const written = formatProfile('x', {
        source: `/${source}`,
        target: 'file:///t',
        encryption: { passphraseFile: `/${passphraseFile}`, isRandom: hasServer },
        schedule: 'daily',
        mail: { to, from: to, on: 'error', smtp: hasServer ? smtp : undefined },
      });
      const { tables } = parse(written);
      assert.deepEqual(tables.mail![0]!.to, [to]);
      assert.equal(tables['mail.smtp']?.length ?? 0, hasServer ? 1 : 0);
      const { value } = tables['']![0]!.passphrase as { value: string };
      assert.ok(value.startsWith('/'));
    }),
  );
});

test('salvageTables() reads what stands around a slip, and leaves out what a slip has made senseless', () => {
  const mail = '[mail]\nto = "anna@example.org"\n[mail.smtp]\nhost = "mail"\npassword-file = "p"\n';
  const ping = '[[ping]]\nurl = "https://a"\n[[ping]]\nurl = "https://b"\n';
  const slips = [
    'source = /a # no quotation marks',
    'source = "/a',
    'source = ["/a"',
    'shedule = "daily"',
    '[options]\nvolsize = 10 MB',
    '[options]\nexclude = ["a",\n"b"',
    '__proto__ = 1\n[__proto__]\nx = 1',
  ];
  for (const slip of slips) {
    const found = salvageTables(`${slip}\n${mail}${ping}`, FILE);
    assert.deepEqual(found.mail, [{ to: ['anna@example.org'] }], slip);
    assert.equal(found['mail.smtp']![0]!.host, 'mail', slip);
    assert.equal(found.ping!.length, 2, slip);
  }
  const wrongMail = salvageTables(
    `[mail]\nto = "a@x"\non = "never"\nfrm = "b@x"\n[mail.smtp]\nport = 5`,
    FILE,
  );
  assert.deepEqual(wrongMail, { '': [{}], mail: [{ to: ['a@x'] }] });
  assert.equal(({} as { x?: number }).x, undefined);
});

test('salvageTables() never fails, whatever a file holds', () => {
  const whole = `${places}[mail]\nto = ["a@x"]\n[options]\nexclude = ["a"]\n[[ping]]\nurl = "u"\n`;
  const edits = fc.array(
    fc.tuple(fc.nat(whole.length), fc.constantFrom('[', ']', '"', '=', '\n', "'''", '{', '#')),
    {
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(edits, places => {
      let text = whole;
      for (const [at, what] of places) text = `${text.slice(0, at)}${what}${text.slice(at + 1)}`;
      for (const table of salvageTables(text, FILE).mail ?? []) assert.ok(Array.isArray(table.to));
    }),
  );
});
