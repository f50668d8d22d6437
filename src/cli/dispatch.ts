/** One parsed invocation → one command. Commands are loaded when they are called: start-up matters on a small board. */

import { pathFromText } from '../bytes.ts';
import { type Host, packerOptions } from '../commands/host.ts';
import type { RestoreRequest } from '../commands/restore.ts';
import { BackupError, exitStatus } from '../errors.ts';
import { isTargetUrl } from '../storage/url.ts';
import { commonOptions, sampleOf } from './common-values.ts';
import { keyValues } from './key-values.ts';
import type { Invocation, OptionValue } from './parse.ts';
import { ranged } from './ranged.ts';
import { backupRequest, keepRules, selectionFor } from './requests.ts';
import { thawTier } from './s3-values.ts';

/** A mistyped action is taken for a source. */
function withAction(error: unknown, { resembles }: Invocation): unknown {
  const isMissing = error instanceof BackupError && error.code === 'source-missing';
  if (!isMissing || resembles === undefined) return error;
  const message = `${error.message}; did you mean the action ${resembles}?`;
  return new BackupError(error.code, message, error.facts, { cause: error });
}

/** @returns the exit status */
export async function dispatch(invocation: Invocation, host: Host): Promise<number> {
  const { action, values, notices, passedOver } = invocation;
  for (const message of notices) host.reporter.report({ level: 'notice', code: 'option', message });
  for (const message of passedOver) host.reporter.report({ level: 'info', code: 'option', message });
  const keys = await keyValues(values);
  for (const message of keys.notices) host.reporter.report({ level: 'warning', code: 'gpg-option', message });
  const common = { ...commonOptions(values), keys: keys.choice };
  const [first, second] = invocation.arguments as [string, string]; // as many as the action has
  const wanted = () => ({
    time: values.time as string | undefined,
    paths: ((values['path-to-restore'] as readonly string[] | undefined) ?? []).map(relativePath),
  });
  switch (action) {
    case 'full':
    case 'incremental':
    case 'backup': {
      requireOrder(action, second, first);
      const request = await backupRequest(invocation, { common, keys }, host);
      const work = async () => {
        const { createPacker } = await import('../engine/packing.ts');
        const packer = createPacker(packerOptions(host)); // a thread, which starts while the rest is being loaded
        const { backup } = await import('../commands/backup.ts').catch(async error => {
          await packer.close();
          throw error;
        });
        return backup(request, host, packer).catch(error => {
          throw withAction(error, invocation);
        });
      };
      const [pre, post] = [values['pre-command'], values['post-command']] as (string | undefined)[];
      if ((pre ?? post) === undefined) return work();
      const { withHooks } = await import('../commands/hooks.ts');
      const facts = { TSBACKUP_ACTION: action, TSBACKUP_SOURCE: first, TSBACKUP_URL: second };
      const secret = await secretVariables(invocation);
      return withHooks({ pre, post, facts, environment: process.env, secret }, host, work);
    }
    case 'restore': {
      requireOrder(action, first, second);
      if (values.delete === true && values.rename !== undefined) {
        throw new BackupError('usage', '--delete and --rename do not go together');
      }
      if (values.delete === true && values['in-place'] !== true) {
        throw new BackupError('usage', '--delete goes with --in-place only');
      }
      if (values.delete === true && invocation.ordered.length > 0) {
        const message =
          'selection options mean nothing to a restore: --delete would remove what they leave out';
        throw new BackupError('usage', message);
      }
      if (invocation.ordered.length > 0) {
        const message = 'Selection options mean nothing to a restore, which takes --path-to-restore.';
        host.reporter.report({ level: 'warning', code: 'option-ignored', message });
      }
      const request: RestoreRequest = {
        ...common,
        ...wanted(),
        url: first,
        target: pathFromText(second),
        force: values.force === true,
        rename: renamed(values),
        inPlace: values['in-place'] === true,
        deleteOthers: values.delete === true,
        dryRun: values['dry-run'] === true,
        numericOwner: values['numeric-owner'] === true,
        ownership: values['no-restore-ownership'] !== true,
        thaw: values.thaw === true || values['thaw-wait'] === true,
        thawTier: thawTier(values),
        thawDays: ranged(values, 'thaw-days', 1, 3650),
        thawWait: values['thaw-wait'] === true,
      };
      const { startRestoreThread } = await import('../engine/restore-thread.ts');
      const isWhole = request.paths.length === 0;
      const thread = startRestoreThread(host.cores, isWhole); // which starts while the rest is being loaded
      const { restore } = await import('../commands/restore.ts').catch(async error => {
        await thread?.close();
        throw error;
      });
      return restore(request, host, thread);
    }
    case 'verify': {
      requireOrder(action, first, second);
      const { verify } = await import('../commands/verify.ts');
      return verify(
        {
          ...common,
          ...wanted(),
          url: first,
          directory: pathFromText(second),
          selection: await selectionFor(invocation, second, host),
          compareData: values['compare-data'] === true,
          numericOwner: values['numeric-owner'] === true,
        },
        host,
      );
    }
    case 'check': {
      const { check } = await import('../commands/check.ts');
      return check({ ...common, url: first, sample: sampleOf(values) }, host);
    }
    case 'replicate': {
      for (const url of [first, second]) {
        if (!isTargetUrl(url))
          throw new BackupError('usage', `'${url}' is not a URL; for a folder write file:///folder`);
      }
      const { isSamePlace } = await import('../commands/source-check.ts');
      if (isSamePlace(first, second)) throw new BackupError('usage', 'the two URLs are the same');
      const { replicate } = await import('../commands/replicate.ts');
      const dryRun = values['dry-run'] === true;
      return replicate({ ...common, url: first, to: second, time: wanted().time, dryRun }, host);
    }
    case 'prune': {
      const { remove } = await import('../commands/remove.ts');
      const options = { limit: '', force: values.force === true, dryRun: values['dry-run'] === true };
      return remove({ ...common, ...options, action, url: first, keep: keepRules(values) }, host);
    }
    case 'cleanup':
    case 'remove-older-than':
    case 'remove-all-but-n-full':
    case 'remove-all-inc-of-but-n-full': {
      const url = action === 'cleanup' ? first : second;
      const limit = action === 'cleanup' ? '' : first;
      const { remove } = await import('../commands/remove.ts');
      return remove(
        { ...common, action, url, limit, force: values.force === true, dryRun: values['dry-run'] === true },
        host,
      );
    }
    case 'probe': {
      const { probe } = await import('../commands/probe.ts');
      const { reporter, signal } = host;
      const lines: string[] = [];
      const result = await probe(
        { url: first, s3: common.s3 ?? {} },
        { reporter, signal, print: line => void lines.push(line) },
      );
      await host.print(`${lines.join('\n')}\n`, () => [{ type: 'probe', ...result }]);
      return result.usable ? exitStatus.done : exitStatus.targetUnreachable;
    }
    case 'run': {
      const { runNamed } = await import('./profile-run.ts');
      return runNamed(invocation, host, dispatch);
    }
    case 'status': {
      const { statusOfProfiles } = await import('./profile-status.ts');
      return statusOfProfiles(first, invocation, host);
    }
    case 'schedule': {
      const { schedule } = await import('./profile-schedule.ts');
      return schedule(first, second, invocation, host);
    }
    case 'config': {
      const { config } = await import('./profile-config.ts');
      return config(first, second, host);
    }
    case 'recovery-kit': {
      const { printRecoveryKit } = await import('./recovery-kit.ts');
      return printRecoveryKit(first, invocation, host);
    }
    case 'completion': {
      const { completionFor } = await import('./completion.ts');
      const script = completionFor(first);
      await host.print(script, () => [{ type: 'completion', script }]);
      return exitStatus.done;
    }
    case 'init': {
      const { init } = await import('./init.ts');
      return init(first, values, host);
    }
    case 'collection-status': {
      const { status } = await import('../commands/status.ts');
      const file = values['file-changed'] as string | undefined;
      const fileChanged = file === undefined ? undefined : relativePath(file);
      const isAbsentShown = values['duplicity-exit-codes'] === true;
      const changesInSet = setIndexOf(values);
      return status({ ...common, url: first, isAbsentShown, fileChanged, changesInSet }, host);
    }
    case 'list-current-files': {
      const { list } = await import('../commands/list.ts');
      return list({ ...common, url: first, time: wanted().time }, host);
    }
  }
}

function setIndexOf(values: Readonly<Record<string, OptionValue>>): number | undefined {
  const text = values['show-changes-in-set'] as string | undefined;
  if (text === undefined) return undefined;
  if (!/^(?:-1|\d{1,9})$/.test(text)) {
    throw new BackupError(
      'usage',
      `--show-changes-in-set takes 0 for the newest set, 1 for the one before it and so on, or -1 for all, not '${text}'`,
    );
  }
  return Number(text);
}

/** A slip in the order of arguments must never turn a restore into a backup or the other way round. */
function requireOrder(action: string, url: string, path: string): void {
  if (isTargetUrl(path) && !isTargetUrl(url)) {
    const order = action !== 'restore' && action !== 'verify' ? 'SOURCE URL' : 'URL DIR';
    throw new BackupError(
      'usage',
      `'${action}' takes its arguments in the order ${order}: '${path}' is a URL`,
    );
  }
  if (!isTargetUrl(url)) {
    throw new BackupError('usage', `'${url}' is not a URL; for a folder write file:///folder`);
  }
  if (isTargetUrl(path))
    throw new BackupError('usage', `'${action}' takes one URL and one folder, not two URLs`);
}

function renamed(values: Readonly<Record<string, OptionValue>>): (readonly [string, string])[] {
  return ((values.rename ?? []) as readonly string[]).map(pair => {
    const [from, to] = pair.split('\0').map(relativePath) as [string, string];
    if (from === '' || to === '') {
      throw new BackupError('usage', '--rename takes two places below the folder, neither the folder itself');
    }
    return [from, to];
  });
}

/** A path inside the backup: slashes at both ends do not matter; `.` is the whole. */
function relativePath(text: string): string {
  const parts = pathFromText(text)
    .split('/')
    .filter(part => part !== '' && part !== '.');
  if (parts.includes('..')) throw new BackupError('usage', `'${text}' leads out of the backup`);
  return parts.join('/');
}

/** Variables of the environment that hold secrets of the profile. */
async function secretVariables({ profile }: Invocation): Promise<string[]> {
  if (!profile) return [];
  const { secretsOf } = await import('./profile-config.ts');
  return secretsOf(profile).flatMap(({ form, value }) => (form === 'env' ? [value] : []));
}
