// Requests to the service, with its key where it wants one.

const KEY = "wordgeo-key";

export class Problem extends Error {
  constructor(document) {
    super(document.detail || "The service failed.");
    this.document = document;
  }
}

export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}

async function request(path, options) {
  const headers = { ...options.headers };
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 0, detail: "The service does not answer. Is it still running?" });
  }
  const content = await answer.json().catch(() => ({ status: answer.status }));
  if (!answer.ok) throw new Problem({ status: answer.status, ...content });
  return content;
}

export const models = () => request("/v1/models", {}).then((found) => found.models);

export const words = (model, prefix, limit) =>
  request(`/v1/models/${encodeURIComponent(model)}/vocabulary?limit=${limit}&prefix=${encodeURIComponent(prefix)}`, {});

// The answers to some items; an item that has none gives its problem document in its place.
export function askAll(model, kind, items, options, signal) {
  const body = JSON.stringify({ items, ...options });
  return request(`/v1/models/${encodeURIComponent(model)}/${kind}`, {
    method: "POST", signal, body, headers: { "Content-Type": "application/json" },
  }).then((found) => found.results);
}

// The answer to one item. Half a word as it is typed is no failure of the request, so it is asked as a batch of one.
export async function ask(model, kind, item, options, signal) {
  const [found] = await askAll(model, kind, [item], options, signal);
  if ("status" in found && "detail" in found) throw new Problem(found);
  return found;
}
