// Elements. Foreign text goes through `text` alone, which makes it text and nothing else.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Sets an element's text, and touches the page only if it differs. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

export function attribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function drawing(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * Makes the children of `parent` those of `items`, in order: each made once by `make`, told apart by `key`, brought up
 * to date by `update`. Nodes that stay are not touched, so nothing flickers and no focus is lost.
 */
export function keyed(parent, items, key, make, update) {
  const known = new Map(Array.from(parent.children, (node) => [node.dataset.key, node]));
  // Not by key: two items may have the same, where their names were cut.
  const unused = new Set(parent.children);
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let node = known.get(name);
    if (!node || !unused.delete(node)) {
      node = make(item);
      node.dataset.key = name;
    }
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of unused) node.remove();
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
