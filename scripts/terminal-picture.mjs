// Draws what a terminal shows as an SVG: text stays text, colours come from ANSI sequences. Node alone.

/** Colours of a window; the names are those of the ANSI sequences. */
export const themes = {
  dark: {
    window: "#16191f",
    bar: "#22262e",
    border: "#333a45",
    title: "#8b949e",
    text: "#d7dde5",
    prompt: "#7ee787",
    dim: "#7d8590",
    black: "#484f58",
    red: "#ff7b72",
    green: "#56d364",
    yellow: "#e3b341",
    blue: "#79c0ff",
    magenta: "#d2a8ff",
    cyan: "#76e3ea",
    white: "#f0f6fc",
  },
  light: {
    window: "#ffffff",
    bar: "#f0f2f5",
    border: "#d0d7de",
    title: "#59636e",
    text: "#1f2328",
    prompt: "#116329",
    dim: "#6e7781",
    black: "#24292f",
    red: "#cf222e",
    green: "#116329",
    yellow: "#7d4e00",
    blue: "#0969da",
    magenta: "#8250df",
    cyan: "#1b7c83",
    white: "#57606a",
  },
};

const colorNames = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const cell = { width: 8.4, height: 19, fontSize: 14 };
const padding = { x: 20, top: 56, bottom: 18 };
const columns = { min: 84, max: 120 };

/**
 * One window. `lines`: text with ANSI colours, as a program writes them or as `typed` makes them. `theme`: a name of
 * `themes`. Answers the SVG.
 */
export function renderTerminalPicture({ title, lines, theme }) {
  const colors = themes[theme];
  const rows = lines.flatMap((line) => wrap(parseAnsi(line)));
  const widest = Math.max(columns.min, ...rows.map((row) => row.reduce((sum, run) => sum + widthOf(run.text), 0)));
  const width = Math.ceil(widest * cell.width + 2 * padding.x);
  const height = padding.top + rows.length * cell.height + padding.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10" fill="${colors.window}" stroke="${colors.border}"/>`,
    `<path d="M0.5 36V10.5a10 10 0 0 1 10-10H${width - 10.5}a10 10 0 0 1 10 10V36z" fill="${colors.bar}" stroke="${colors.border}"/>`,
    ...["#ff5f57", "#febc2e", "#28c840"].map(
      (fill, index) => `<circle cx="${22 + index * 20}" cy="18" r="6" fill="${fill}"/>`,
    ),
    `<text x="${width / 2}" y="22.5" text-anchor="middle" font-family="system-ui, sans-serif" font-size="13" fill="${colors.title}">${escapeXml(title)}</text>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${cell.fontSize}" fill="${colors.text}" xml:space="preserve">`,
    ...rows.flatMap((row, index) => renderRow(row, padding.top + (index + 0.75) * cell.height, colors)),
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

/** Every run has its place, so that columns stay straight whatever font draws them. */
function renderRow(row, y, colors) {
  let column = 0;
  const drawn = [];
  for (const run of row) {
    const width = widthOf(run.text);
    // Some viewers drop spaces at the ends, so they are left out and the rest is moved instead.
    const text = run.text.trim();
    if (text !== "") {
      const x = round(padding.x + (column + widthOf(run.text) - widthOf(run.text.trimStart())) * cell.width);
      const fill = run.color === undefined ? "" : ` fill="${colors[run.color]}"`;
      const weight = run.bold ? ' font-weight="bold"' : "";
      const length = ` textLength="${round(widthOf(text) * cell.width)}" lengthAdjust="spacingAndGlyphs"`;
      drawn.push(`<text x="${x}" y="${round(y)}"${length}${fill}${weight}>${escapeXml(text)}</text>`);
    }
    column += width;
  }
  return drawn;
}

/** Runs of text of one style. Colours, dim and bold are understood; every other sequence is left out. */
export function parseAnsi(line) {
  const runs = [];
  let style = {};
  let position = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that this is about.
  for (const match of line.matchAll(/\u001b\[([0-9;?]*)([A-Za-z])/g)) {
    push(runs, line.slice(position, match.index), style);
    position = match.index + match[0].length;
    if (match[2] === "m") for (const code of match[1].split(";")) style = styleAfter(style, Number(code));
  }
  push(runs, line.slice(position), style);
  return runs;
}

function push(runs, text, style) {
  if (text !== "") runs.push({ text, ...style });
}

function styleAfter(style, code) {
  if (code === 0) return {};
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, color: "dim" };
  if (code === 22) return { ...(style.color === "dim" ? {} : { color: style.color }) };
  if (code === 39) return { bold: style.bold };
  if (code === 300) return { color: "prompt", bold: true };
  const color = colorNames[code >= 90 ? code - 90 : code - 30];
  return color === undefined ? style : { ...style, color };
}

/** Rows of at most so many columns as a window has. */
function wrap(runs) {
  const rows = [[]];
  let column = 0;
  for (const run of runs) {
    let { text } = run;
    while (column + widthOf(text) > columns.max) {
      const head = text.slice(0, columns.max - column);
      rows.at(-1).push({ ...run, text: head });
      text = text.slice(head.length);
      rows.push([]);
      column = 0;
    }
    rows.at(-1).push({ ...run, text });
    column += widthOf(text);
  }
  return rows;
}

/** Columns that a text takes; the pictures hold no wide characters. */
function widthOf(text) {
  return [...text].length;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function escapeXml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** A line that a person types, with its prompt. */
export function typed(command) {
  return `\u001b[300m$\u001b[0m \u001b[1m${command}\u001b[0m`;
}
