// The audits of GraphQL over HTTP that its reference implementation ships, by a member signed in.
import { serverAudits } from "graphql-http";
import { headers, http, tell } from "./setup.js";

const audits = serverAudits({
  url: http,
  fetchFn: (url, options) => fetch(url, { ...options, headers: { ...headers, ...options?.headers } }),
});
const results = [];
for (const audit of audits) {
  const { id, name, status, reason } = await audit.fn();
  results.push({ id, name, status, reason });
}
tell(results);
