// Checks dashboards against Grafana's own schema, the types of @grafana/schema: the dashboard, and by each panel's type its
// options and field settings. Prints what does not fit and exits with 1.   check.mjs DASHBOARD.json...
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

// Where the schema is installed.
const HERE = fileURLToPath(new URL('.', import.meta.url));
const RAW = '@grafana/schema/dist/types/raw';
const FILES = { stat: 'Stat', table: 'Table', timeseries: 'TimeSeries' };
// An enum's values as plain text or numbers, which is what JSON holds.
const PLAIN = `
type Plain<T> = T extends string ? \`\${T}\` | T : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Plain<E>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
`;

function source(dashboard) {
  const kinds = [...new Set(dashboard.panels.map(({ type }) => type))].filter((type) => type !== 'row');
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  const custom = { timeseries: 'FieldConfig', table: 'FieldConfig' };
  return [
    `import type { Dashboard } from '${RAW}/dashboard/x/dashboard_types.gen';`,
    ...kinds.map((kind) => `import type * as ${kind} from '${RAW}/composable/${kind}/panelcfg/x/${FILES[kind]}PanelCfg_types.gen';`),
    PLAIN,
    `export const dashboard: Plain<Dashboard> = ${JSON.stringify(dashboard, null, 1)};`,
    ...panels.map(({ type, options }, at) => `export const options${at}: Plain<Partial<${type}.Options>> = ${JSON.stringify(options ?? {})};`),
    ...panels.filter(({ type }) => custom[type]).map(({ type, fieldConfig }, at) =>
      `export const custom${at}: Plain<Partial<${type}.${custom[type]}>> = ${JSON.stringify(fieldConfig.defaults.custom ?? {})};`),
  ].join('\n');
}

const files = new Map(process.argv.slice(2).map((path) => [join(HERE, `${basename(path, '.json')}.ts`), source(JSON.parse(readFileSync(path)))]));
const options = { strict: true, noEmit: true, skipLibCheck: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Node10, types: [], target: ts.ScriptTarget.ES2022 };
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists } = host;
host.fileExists = (path) => files.has(path) || fileExists(path);
host.getSourceFile = (path, ...rest) => files.has(path) ? ts.createSourceFile(path, files.get(path), ts.ScriptTarget.ES2022) : getSourceFile(path, ...rest);
const program = ts.createProgram([...files.keys()], options, host);
const found = ts.getPreEmitDiagnostics(program);
for (const { file, start, messageText } of found) {
  const line = file ? file.text.split('\n')[file.getLineAndCharacterOfPosition(start).line].trim() : '';
  console.error(`${file ? basename(file.fileName) : ''}: ${line.slice(0, 80)}: ${ts.flattenDiagnosticMessageText(messageText, '\n').slice(0, 600)}`);
}
process.exit(found.length ? 1 : 0);
