// Draws a dashboard as Grafana does, with Grafana's own components (@grafana/ui), from its JSON and from what its queries
// found. `window.drawDashboard(dashboard, found, from, to)`: `found` has an entry for each panel, in order:
// {series: [{name, times, values}]} or {columns: [{name, type, values}]}.
import React from 'react';
import { createRoot } from 'react-dom/client';
import {
  FieldType, ThemeContext, createTheme, dateTime, getDisplayProcessor, getMinMaxAndDelta, reduceField, toDataFrame,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

// Of Grafana's grid: 24 columns, rows of 30 px, 8 px between.
const COLUMNS = 24, ROW = 30, GAP = 8;
const theme = createTheme({ colors: { mode: 'light' } });

const place = ({ x, y, w, h }, width) => {
  const column = (width - (COLUMNS - 1) * GAP) / COLUMNS;
  return {
    position: 'absolute', left: x * (column + GAP), top: y * (ROW + GAP),
    width: w * column + (w - 1) * GAP, height: h * ROW + (h - 1) * GAP,
  };
};

// What Grafana's panel model does with a panel's field settings: defaults, then the overrides by name.
function configured(panel, name) {
  const { defaults, overrides } = panel.fieldConfig;
  const config = { color: { mode: 'palette-classic' }, ...defaults, custom: { ...defaults.custom } };
  for (const { matcher, properties } of overrides ?? []) {
    if (matcher.id !== 'byName' || matcher.options !== name) continue;
    for (const { id, value } of properties) {
      if (id.startsWith('custom.')) config.custom[id.slice(7)] = value;
      else config[id] = value;
    }
  }
  return config;
}

function finished(field, index) {
  field.state = { ...field.state, seriesIndex: index };
  if (field.type === FieldType.number) field.state.range = getMinMaxAndDelta(field);
  field.display = getDisplayProcessor({ field, theme });
  return field;
}

function frames(panel, found) {
  return found.series.map(({ name, times, values }, index) => {
    const frame = toDataFrame({
      name,
      fields: [
        { name: 'Time', type: FieldType.time, values: times, config: {} },
        { name: 'Value', type: FieldType.number, values, config: { ...configured(panel, name), displayNameFromDS: name } },
      ],
    });
    finished(frame.fields[0], 0);
    finished(frame.fields[1], index);
    frame.fields[1].state.displayName = name;
    return frame;
  });
}

function Series({ panel, found, size, range }) {
  return (
    <TimeSeries
      frames={frames(panel, found)} width={size.width} height={size.height} timeRange={range} timeZone="utc"
      legend={panel.options.legend ?? { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] }}
    />
  );
}

const reduced = (panel, field) => {
  const calc = panel.options.reduceOptions?.calcs?.[0] ?? 'lastNotNull';
  return field.display(reduceField({ field, reducers: [calc] })[calc]);
};

function Figures({ panel, found, size }) {
  const all = frames(panel, found).map((frame) => {
    const field = frame.fields[1];
    const value = { ...reduced(panel, field), title: found.series.length > 1 ? frame.name : undefined };
    const sparkline = panel.options.graphMode === 'area' && field.values.length > 1
      ? { x: frame.fields[0], y: field } : undefined;
    return { value, sparkline };
  });
  return (
    <VizRepeater
      source={all} getValues={() => all} {...size} renderCounter={1} orientation="auto"
      renderValue={({ value: { value, sparkline }, width, height }) => (
        <BigValue {...{ value, sparkline, width, height, theme }} colorMode={panel.options.colorMode ?? 'value'}
          graphMode={panel.options.graphMode ?? 'area'} />
      )}
    />
  );
}

function Bars({ panel, found, size }) {
  const all = frames(panel, found).map((frame) => ({ field: frame.fields[1], value: { ...reduced(panel, frame.fields[1]), title: frame.name } }));
  const most = Math.max(...all.map(({ value }) => value.numeric));
  return (
    <VizRepeater
      source={all} getValues={() => all} {...size} renderCounter={1} orientation="horizontal" minVizHeight={16} itemSpacing={8}
      renderValue={({ value: { field, value }, width, height }) => (
        <BarGauge {...{ value, width, height, theme }} field={{ ...field.config, min: field.config.min ?? 0, max: field.config.max ?? most }}
          display={field.display} orientation="horizontal" displayMode={panel.options.displayMode ?? 'gradient'} itemSpacing={8} />
      )}
    />
  );
}

function Rows({ panel, found, size, range }) {
  const types = { number: FieldType.number, string: FieldType.string, timestamp: FieldType.time };
  const frame = toDataFrame({
    fields: found.columns.map(({ name, type, values }) => ({ name, type: types[type], values, config: configured(panel, name) })),
  });
  frame.fields.forEach(finished);
  return <TableNG data={frame} {...size} timeRange={range} sortBy={panel.options.sortBy ?? []} fieldConfig={panel.fieldConfig} />;
}

const KINDS = { timeseries: Series, stat: Figures, bargauge: Bars, table: Rows };

function Panel({ panel, found, width, range }) {
  const spot = place(panel.gridPos, width);
  const Kind = KINDS[panel.type];
  const full = (found.series ?? found.columns?.[0]?.values ?? []).length > 0;
  return (
    <div style={spot} data-panel={panel.title} data-empty={!full}>
      <PanelChrome title={panel.title} description={panel.description} width={spot.width} height={spot.height}>
        {(w, h) => full
          ? <Kind panel={panel} found={found} size={{ width: w, height: h }} range={range} />
          : <div style={{ display: 'grid', placeItems: 'center', height: h, color: theme.colors.text.secondary }}>{panel.fieldConfig.defaults.noValue}</div>}
      </PanelChrome>
    </div>
  );
}

function Dashboard({ dashboard, found, range, width }) {
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h1 style={{ fontSize: 20, margin: '0 0 4px' }}>{dashboard.title}</h1>
      <p style={{ color: theme.colors.text.secondary, margin: '0 0 12px' }}>{dashboard.description}</p>
      <div style={{ position: 'relative', height: bottom * (ROW + GAP) }}>
        {dashboard.panels.map((panel, at) => panel.type === 'row'
          ? <h2 key={at} data-row="" style={{ ...place(panel.gridPos, width), fontSize: 16, margin: 0, lineHeight: '30px' }}>{panel.title}</h2>
          : <Panel key={at} panel={panel} found={found[at]} width={width} range={range} />)}
      </div>
    </ThemeContext.Provider>
  );
}

window.drawDashboard = async (dashboard, found, from, to) => {
  await initPluginTranslations('beatlytica');
  const range = { from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } };
  const element = document.getElementById('dashboard');
  document.body.style.background = theme.colors.background.canvas;
  createRoot(element).render(<Dashboard {...{ dashboard, found, range }} width={element.clientWidth} />);
};
