/* What of the words in this document is hard to read: one entry for each, with why. Runs in a page. */
() => {
  const SMALLEST = 14;
  const hard = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const words = node.data.trim();
    const tag = node.parentElement;
    if (!words || !isSeen(tag)) continue;
    const style = getComputedStyle(tag);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight, 10) >= 700);
    const ratio = contrast(over(colour(style.color), behind(tag)), behind(tag));
    const said = `<${tag.tagName.toLowerCase()} class="${tag.className}"> ${words.slice(0, 40)}`;
    if (size < SMALLEST) hard.push(`${size} px: ${said}`);
    if (ratio < (isLarge ? 3 : 4.5)) hard.push(`${ratio.toFixed(2)}:1: ${said}`);
  }
  return hard;

  function isSeen(tag) {
    const box = tag.getBoundingClientRect();
    return tag.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && box.width > 0 && box.height > 0;
  }

  function behind(tag) {
    const layers = [];
    for (let one = tag; one; one = one.parentElement) layers.unshift(colour(getComputedStyle(one).backgroundColor));
    return layers.reduce((under, layer) => over(layer, under), canvas());
  }

  /* What a page without a background has behind it. */
  function canvas() {
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches && document.querySelector("meta[name=color-scheme]");
    return isDark ? [18, 18, 18, 1] : [255, 255, 255, 1];
  }

  function colour(text) {
    const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
    return [red, green, blue, alpha];
  }

  function over([red, green, blue, alpha], under) {
    return [...[red, green, blue].map((one, at) => one * alpha + under[at] * (1 - alpha)), 1];
  }

  /* WCAG 2.2, "relative luminance" and "contrast ratio". */
  function contrast(one, other) {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }

  function luminance(rgb) {
    const [red, green, blue] = rgb.slice(0, 3).map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
}
