// Long-lived parts: started in order, stopped in reverse, stop() may be called twice.

export interface Component {
  readonly name: string;
  /** Resolves when the part serves; rejects when it cannot. `signal` aborts the start. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when everything it holds is released. May be called twice, and before start. */
  stop(): Promise<void>;
}

/** Starts the parts in order; when one fails, stops those already started and rethrows. */
export async function startAll(components: readonly Component[], signal: AbortSignal): Promise<void> {
  const started: Component[] = [];
  try {
    for (const component of components) {
      started.push(component);
      await component.start(signal);
    }
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

/** Stops in reverse order; goes on past failures and throws them together. */
export async function stopAll(components: readonly Component[]): Promise<void> {
  const errors: unknown[] = [];
  for (const component of components.toReversed()) {
    try {
      await component.stop();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'some parts did not stop');
}
