/** Who is told of runs, and how. Secrets are read when they are needed, and never told. */

export type When = 'always' | 'error' | 'change';
export type Secret = () => Promise<string>;

export interface SmtpSettings {
  readonly host: string;
  readonly port: number;
  /** `starttls`: required, not only tried. */
  readonly security: 'starttls' | 'tls' | 'none';
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
  /** Path of certificates to trust besides those of the system. */
  readonly caFile?: string | undefined;
}

export interface MailSettings {
  readonly to: readonly string[];
  readonly from: string;
  readonly on: readonly When[];
  /** A path is that of a sendmail-compatible program. */
  readonly transport: SmtpSettings | { readonly sendmail: string };
}

export interface PingSettings {
  readonly url: Secret;
}

export interface WebhookSettings {
  readonly url: Secret;
  readonly authorization?: Secret | undefined;
}

export interface NtfySettings {
  readonly url: Secret;
  readonly token?: Secret | undefined;
  readonly on: readonly When[];
}

export interface NoticeSettings {
  readonly mail?: MailSettings | undefined;
  readonly pings: readonly PingSettings[];
  readonly webhooks: readonly WebhookSettings[];
  readonly ntfy?: NtfySettings | undefined;
}
