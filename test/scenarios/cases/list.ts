// All scenarios, by the link of the chain that they break; the healthy ones last.
import type { Scenario } from '../scenario.ts';
import { ADDRESS_SCENARIOS } from './address.ts';
import { NAME_SCENARIOS } from './name.ts';
import { POLICY_SCENARIOS } from './policy.ts';
import { ROUTE_SCENARIOS } from './route.ts';
import { POD_SCENARIOS } from './pod.ts';
import { POSITION_SCENARIOS } from './position.ts';
import { SERVICE_SCENARIOS } from './service.ts';
import { LISTENER_SCENARIOS } from './listener.ts';
import { LOGIN_SCENARIOS } from './login.ts';
import { HEALTHY_SERVER_SCENARIOS } from './healthy-servers.ts';
import { TWO_FAULT_SCENARIOS } from './two-faults.ts';
import { FORWARD_SCENARIOS } from './forward.ts';
import { NODE_SCENARIOS } from './node.ts';
import { HEALTH_CHECK_SCENARIOS } from './health-check.ts';
import { OUTSIDE_SCENARIOS } from './outside.ts';
import { PACKET_SCENARIOS } from './packets.ts';
import { STORAGE_SCENARIOS } from './storage.ts';
import { TLS_SCENARIOS } from './tls.ts';
import { HEALTHY_NETWORK_SCENARIOS } from './healthy-network.ts';
import { HEALTHY_SCENARIOS } from './healthy.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...POSITION_SCENARIOS,
  ...NAME_SCENARIOS,
  ...ADDRESS_SCENARIOS,
  ...ROUTE_SCENARIOS,
  ...POLICY_SCENARIOS,
  ...SERVICE_SCENARIOS,
  ...POD_SCENARIOS,
  ...LISTENER_SCENARIOS,
  ...TLS_SCENARIOS,
  ...LOGIN_SCENARIOS,
  ...STORAGE_SCENARIOS,
  ...OUTSIDE_SCENARIOS,
  ...HEALTH_CHECK_SCENARIOS,
  ...FORWARD_SCENARIOS,
  ...NODE_SCENARIOS,
  ...PACKET_SCENARIOS,
  ...TWO_FAULT_SCENARIOS,
  ...HEALTHY_SERVER_SCENARIOS,
  ...HEALTHY_SCENARIOS,
  ...HEALTHY_NETWORK_SCENARIOS,
];
