/** Which proxy next: strategies, rules, sticky sessions. */
export { type ProxyReport, type ProxyRequest, Rotator } from './rotator.ts';
