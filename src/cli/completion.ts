/**
 * Completion scripts for shells, made from the table of options: actions first, then the options of the action at hand;
 * files wherever a path is wanted, and names of profiles where one is.
 */

import { BackupError } from '../errors.ts';
import { type ActionSpec, actions } from './actions.ts';
import { meantFor, type OptionSpec, tellsOf } from './option-spec.ts';
import { options } from './options.ts';

const shells: Readonly<Record<string, () => string>> = { bash, zsh, fish };

/** @throws BackupError `usage` for a shell that we do not know */
export function completionFor(shell: string): string {
  const make = Object.hasOwn(shells, shell) ? shells[shell] : undefined;
  if (make) return make();
  throw new BackupError(
    'usage',
    `there are completions for ${Object.keys(shells).join(', ')}, not for '${shell}'`,
  );
}

function optionsOf(spec: ActionSpec): OptionSpec[] {
  return options.filter(option => tellsOf(spec, option));
}

const names = actions.map(({ action }) => action);
const takesProfile = actions
  .filter(({ positionals }) => positionals.some(name => name.startsWith('NAME')))
  .map(({ action }) => action);
const choosing = actions.flatMap(({ action, choices }) => (choices ? [{ action, choices }] : []));
/** Prints the names of profiles, in any shell. */
const PROFILES = `sh -c 'ls "\${XDG_CONFIG_HOME:-$HOME/.config}/tsbackup" "\${TSBACKUP_SYSTEM_CONFIG:-/etc/tsbackup}" 2>/dev/null | sed -n s/[.]toml\\$//p'`;

const flagsOf = (spec: ActionSpec) =>
  optionsOf(spec).flatMap(({ long, short }) => [...(short ? [`-${short}`] : []), `--${long}`]);

function bash(): string {
  const withValue = options.filter(({ kind, hidden }) => !hidden && kind !== 'flag');
  const wordsOf = (specs: readonly OptionSpec[]) =>
    specs.flatMap(({ long, short }) => [`--${long}`, ...(short ? [`-${short}`] : [])]);
  const words = wordsOf(withValue.filter(({ kind }) => kind !== 'path'));
  return `# bash completion of tsbackup: . <(tsbackup completion bash)
_tsbackup() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} action= word value= arguments=0
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $value$word in
      =|value=) value=value ;;
      value*) value= ;;
      ${wordsOf(withValue).join('|')}) value=value ;;
      -*) ;;
      ${names.join('|')}) if [[ $action ]]; then ((arguments++)); else action=$word; fi ;;
      *) action=\${action:-backup}; ((arguments++)) ;;
    esac
  done
  case $prev in
    --profile) COMPREPLY=($(compgen -W "$(${PROFILES})" -- "$cur")); return ;;
    ${words.filter(word => word !== '--profile').join('|')}) return ;;
  esac
  case $cur in
    -*)
      case \${action:-backup} in
${actions.map(spec => `        ${spec.action}) word='${flagsOf(spec).join(' ')}' ;;`).join('\n')}
      esac
      COMPREPLY=($(compgen -W "$word --help" -- "$cur"))
      return ;;
  esac
  case $action$arguments in
    '0') COMPREPLY=($(compgen -W '${names.join(' ')}' -- "$cur")); return ;;
${choosing.map(({ action, choices }) => `    ${action}0) COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$cur")); return ;;`).join('\n')}
  esac
  case $action in
    ${takesProfile.join('|')}) COMPREPLY=($(compgen -W "$(${PROFILES})" -- "$cur")); return ;;
  esac
}
complete -o default -F _tsbackup tsbackup
`;
}

function zsh(): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const described = (text: string) => text.replace(/[[\]:\\]/g, '\\$&');
  const optionWord = ({ long, kind, value, help, repeatable, ordered }: OptionSpec) => {
    const star = repeatable || ordered ? '*' : '';
    const tail =
      kind === 'flag'
        ? ''
        : `:${described(value ?? 'VALUE')}:${kind === 'path' ? '_files' : long === 'profile' ? '_tsbackup_profiles' : ''}`;
    return quoted(`${star}--${long}${kind === 'flag' ? '' : '='}[${described(help)}]${tail}`);
  };
  return `#compdef tsbackup
# zsh completion of tsbackup: tsbackup completion zsh > "\${fpath[1]}/_tsbackup"
_tsbackup_profiles() {
  local -a found
  found=(\${(f)"$(${PROFILES})"})
  compadd -a found
}
_tsbackup() {
  local action=backup word
  for word in \${words[2,CURRENT-1]}; do
    case $word in (${names.join('|')}) action=$word; break ;; esac
  done
  if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then
    local -a actions
    actions=(
${actions.map(({ action, summary }) => `      ${quoted(`${action}:${described(summary)}`)}`).join('\n')}
    )
    _describe action actions
    _files
    return
  fi
  case $action in
${actions
  .map(spec => {
    const isNamed = takesProfile.includes(spec.action);
    const rest = isNamed ? "'*:profile:_tsbackup_profiles'" : "'*:file:_files'";
    // The action is the first argument.
    const choice = spec.choices ? `'2:${spec.positionals[0]}:(${spec.choices.join(' ')})' ` : '';
    return `    ${spec.action}) _arguments ${optionsOf(spec).map(optionWord).join(' ')} ${choice}${rest} ;;`;
  })
  .join('\n')}
  esac
}
if [[ $funcstack[1] == _tsbackup ]]; then # it lies in $fpath, and this is its first call
  _tsbackup "$@"
else
  (($+functions[compdef])) || { autoload -Uz compinit && compinit; }
  compdef _tsbackup tsbackup
fi
`;
}

function fish(): string {
  const quoted = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = [
    '# fish completion of tsbackup: tsbackup completion fish > ~/.config/fish/completions/tsbackup.fish',
    `set -l actions ${names.join(' ')}`,
    ...actions.map(
      ({ action, summary }) =>
        `complete -c tsbackup -n "not __fish_seen_subcommand_from $actions" -a ${action} -d ${quoted(summary)}`,
    ),
    ...choosing.map(
      ({ action, choices }) =>
        `complete -c tsbackup -f -n '__fish_seen_subcommand_from ${action}; and not __fish_seen_subcommand_from ${choices.join(' ')}' -a ${quoted(choices.join(' '))}`,
    ),
    `complete -c tsbackup -f -n '__fish_seen_subcommand_from ${takesProfile.join(' ')}' -a ${quoted(`(${PROFILES})`)}`,
  ];
  for (const option of options.filter(({ hidden }) => !hidden)) {
    const { long, short, kind, help } = option;
    const known = meantFor(option);
    const where = known ? ` -n '__fish_seen_subcommand_from ${known.join(' ')}'` : '';
    const takes = kind === 'flag' ? '' : kind === 'path' ? ' -r' : ' -x';
    const letter = short ? ` -s ${short}` : '';
    lines.push(`complete -c tsbackup${where}${letter} -l ${long}${takes} -d ${quoted(help)}`);
  }
  return `${lines.join('\n')}\n`;
}
