import type { Violation } from "../oracle/violation.ts";
import { Scene, type SceneOptions } from "./scene.ts";

/** A story with a script: what happens is written down, and the seed only draws contents, delays and who comes first. */
export interface Scenario {
  readonly name: string;
  readonly options: SceneOptions;
  /** The database is not what the clients were told: only what the story itself looks at is judged. */
  readonly unverified?: boolean;
  /** What must not come about is told to the scene as a violation. */
  tell(scene: Scene): Promise<void>;
}

/** Tells a story and answers what it violated; unless it says otherwise, everything must be there, whole, at its end. */
export async function runScenario(
  scenario: Scenario,
  { seed = scenario.options.seed, echo }: { seed?: number; echo?: ((line: string) => void) | undefined } = {},
): Promise<Violation | undefined> {
  const scene = await Scene.open({ ...scenario.options, seed, echo });
  try {
    await scenario.tell(scene);
    if (!scenario.unverified) await scene.verify();
  } catch (error) {
    // A story that cannot be told has found something too.
    scene.world.violate("the story is told", error instanceof Error ? error.message : String(error));
  } finally {
    await scene.close();
  }
  return scene.world.violation;
}
