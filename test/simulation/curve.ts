import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkAreaComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Plan, Sample, Story } from './run.ts';
import { MINUTE } from './world.ts';

use([LineChart, GridComponent, LegendComponent, MarkAreaComponent, TitleComponent, SVGRenderer]);

const SIZE = { width: 900, height: 460 };
const TEXT = { color: '#3b4252', fontFamily: 'Helvetica, Arial, sans-serif', fontSize: 13 };
const COLORS = { pool: '#2563eb', oracle: '#16a34a', out: '#b8bfcc' };
const LINES = '#e5e7eb';

/** Draws how many requests succeeded over time, and what the oracle would have reached, as an SVG. */
export function curveOf({ samples }: Story, plan: Plan, warmUp: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  const each = (value: (sample: Sample) => number): [number, number][] => [
    ...samples.map((sample): [number, number] => [sample.from / MINUTE, value(sample)]),
    // So that the last step is seen too.
    ...samples.slice(-1).map((sample): [number, number] => [plan.lasts / MINUTE, value(sample)]),
  ];
  const axis = { nameTextStyle: TEXT, axisLabel: TEXT, axisTick: { show: false } };
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: TEXT,
    title: {
      text: 'Requests that succeed, of a pool in which 30 % of the proxies are dead',
      left: 16,
      top: 12,
      textStyle: { ...TEXT, fontSize: 16, fontWeight: 'bold' },
    },
    legend: {
      top: 44,
      left: 12,
      itemGap: 24,
      textStyle: TEXT,
      data: [
        { name: 'oracle', icon: 'roundRect' },
        { name: 'pool', icon: 'roundRect' },
        { name: 'proxies that are out (right axis)', icon: 'roundRect' },
      ],
      itemHeight: 6,
      itemWidth: 18,
    },
    grid: { left: 72, right: 84, top: 100, bottom: 60 },
    xAxis: {
      ...axis,
      type: 'value',
      min: 0,
      max: plan.lasts / MINUTE,
      interval: 2,
      name: 'minutes since the pool was new',
      nameLocation: 'middle',
      nameGap: 34,
      splitLine: { show: false },
      axisLine: { lineStyle: { color: '#6b7280' } },
    },
    yAxis: [
      {
        ...axis,
        type: 'value',
        min: 60,
        max: 100,
        interval: 10,
        name: 'requests that succeed',
        nameLocation: 'middle',
        nameGap: 52,
        axisLabel: { ...TEXT, formatter: '{value} %' },
        splitLine: { lineStyle: { color: LINES } },
      },
      {
        ...axis,
        type: 'value',
        min: 0,
        max: plan.proxies * 0.4,
        interval: plan.proxies * 0.1,
        name: 'proxies that are out',
        nameLocation: 'middle',
        nameRotate: 270,
        nameGap: 58,
        axisLabel: { ...TEXT, formatter: (value: number) => value.toLocaleString('en') },
        splitLine: { show: false },
      },
    ],
    series: [
      {
        ...line('proxies that are out (right axis)', COLORS.out, 1),
        yAxisIndex: 1,
        areaStyle: { color: COLORS.out, opacity: 0.25 },
        data: each(({ cooling }) => 10 * Math.round(cooling / 10)),
      },
      {
        ...line('oracle', COLORS.oracle, 2.5),
        data: each(({ requests, possible }) => percent(possible, requests)),
        markArea: {
          silent: true,
          data: [
            band('warm-up', '#b45309', 0, warmUp),
            band(`${plan.outage.domain} is down`, '#b91c1c', plan.outage.from, plan.outage.until),
          ],
        },
      },
      {
        ...line('pool', COLORS.pool, 2.5),
        data: each(({ requests, successes }) => percent(successes, requests)),
      },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return readable(svg);
}

function line(name: string, color: string, width: number) {
  return { name, color, type: 'line', symbol: 'none', step: 'end', lineStyle: { width } } as const;
}

/** What a share of requests is in percent, to a tenth. */
function percent(part: number, of: number): number {
  return Math.round((1000 * part) / of) / 10;
}

/** A time that is set off by its colour, with its name above it. */
function band(name: string, color: string, from: number, until: number): [object, object] {
  const label = { ...TEXT, position: 'top', color };
  return [
    { name, xAxis: from / MINUTE, itemStyle: { color, opacity: 0.07 }, label },
    { xAxis: until / MINUTE },
  ];
}

/** The same picture each time: without the number of the chart, with a tenth of a pixel, and with a title for those who cannot see it. */
function readable(svg: string): string {
  return `${svg
    .replaceAll(/zr\d+-/g, 'zr-')
    .replaceAll(/\d+\.\d{2,}/g, (number) => String(Math.round(10 * Number(number)) / 10))
    .replace(/<svg [^>]*>/, (tag) => `${tag}\n<title>Requests that succeed over time</title>`)}\n`;
}
