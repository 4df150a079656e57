/**
 * Holds resources while something is put together: disposed of in reverse order unless they are moved out.
 * Stands in for AsyncDisposableStack, which Node has from version 24 on.
 */
export class CleanupStack implements AsyncDisposable {
  #resources: AsyncDisposable[] = [];

  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    this.#resources.push(resource);
    return resource;
  }

  /** Takes all resources out into a new stack; this one then disposes of nothing. */
  move(): CleanupStack {
    const moved = new CleanupStack();
    moved.#resources = this.#resources;
    this.#resources = [];
    return moved;
  }

  /** Disposes of all, the last first. The first failure is thrown after the rest was disposed of. */
  async [Symbol.asyncDispose](): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (const resource of this.#resources.splice(0).reverse()) {
      try {
        await resource[Symbol.asyncDispose]();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  }
}
