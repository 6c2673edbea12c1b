// Every subresource that is answered by the API server itself. Looked up by name and resource; the order means nothing.
// Connect subresources (exec, attach, portforward, log, proxy) are handed to the server as ConnectHandlers.
import { approval, signingStatus } from './approval.ts';
import { binding } from './binding.ts';
import { ephemeralContainers } from './ephemeralcontainers.ts';
import { eviction } from './eviction.ts';
import { finalize } from './finalize.ts';
import { resize } from './resize.ts';
import { scale } from './scale.ts';
import { status } from './status.ts';
import type { Subresource } from './subresource.ts';

export const subresources: readonly Subresource[] = [
  status,
  scale,
  binding,
  eviction,
  finalize,
  ephemeralContainers,
  resize,
  approval,
  signingStatus,
];
