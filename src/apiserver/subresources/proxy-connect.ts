// Every connect subresource. Looked up by name and resource; the order means nothing.
import { attachHandler, execHandler } from './exec.ts';
import { logHandler } from './log.ts';
import { portForwardHandler } from './portforward.ts';
import { type ProxyDeps, proxyHandlers } from './proxy.ts';
import type { ConnectHandler } from './subresource.ts';

export type ConnectDeps = ProxyDeps;

export const connectHandlers = (deps: ConnectDeps): readonly ConnectHandler[] => [
  execHandler(deps),
  attachHandler(deps),
  portForwardHandler(deps),
  logHandler(deps),
  ...proxyHandlers(deps),
];
