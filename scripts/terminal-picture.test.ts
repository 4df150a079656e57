import { expect, test } from "vitest";

interface Run {
  readonly text: string;
  readonly color?: string;
  readonly bold?: boolean;
}
interface PictureModule {
  renderTerminalPicture(picture: { title: string; lines: readonly string[]; theme: string }): string;
  parseAnsi(line: string): readonly Run[];
  typed(command: string): string;
  readonly themes: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const picture = (await import(new URL("./terminal-picture.mjs", import.meta.url).href)) as PictureModule;

test("colours become runs, other sequences vanish", () => {
  expect(
    picture.parseAnsi("a\u001b[32mgreen\u001b[39m b\u001b[2K\u001b[2mdim\u001b[22m \u001b[1;31mboth\u001b[0m c"),
  ).toEqual([
    { text: "a" },
    { text: "green", color: "green" },
    { text: " b", bold: undefined },
    { text: "dim", color: "dim", bold: undefined },
    { text: " " },
    { text: "both", color: "red", bold: true },
    { text: " c" },
  ]);
});

test("text stays text, in its place and its colour, and cannot break out of the picture", () => {
  const svg = picture.renderTerminalPicture({
    title: "a <b> & c",
    lines: [picture.typed("cairn list"), "ok \u001b[32m<script>\u001b[39m &"],
    theme: "dark",
  });
  expect(svg).toContain('aria-label="a &lt;b&gt; &amp; c"');
  expect(svg).toContain(`fill="${picture.themes["dark"]?.["green"]}">&lt;script&gt;</text>`);
  expect(svg).not.toContain("<script");
  expect(svg).toContain(">cairn list</text>");
});

test("a long line goes on in the next row, none is wider than the window", () => {
  const svg = picture.renderTerminalPicture({ title: "", lines: ["x".repeat(300)], theme: "light" });
  const runs = [...svg.matchAll(/>(x+)<\/text>/g)].map((match) => match[1]?.length ?? 0);
  expect(runs.reduce((sum, length) => sum + length, 0)).toBe(300);
  expect(Math.max(...runs)).toBeLessThanOrEqual(120);
});

test("both themes name the same colours", () => {
  const [dark, light] = ["dark", "light"].map((name) => Object.keys(picture.themes[name] ?? {}));
  expect(dark).toEqual(light);
});
