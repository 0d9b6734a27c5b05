// Starts GraphiQL against /graphql of the host that served this page: queries and mutations by
// HTTP, subscriptions by WebSocket. Headers written in GraphiQL's "Headers" tab go with both; on a
// WebSocket, where a browser cannot set headers, they are said in `connection_init`.
"use strict";
{
  const url = new URL("graphql", location.href);
  const socketUrl = new URL(url);
  socketUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";

  let headers = {};
  const client = graphqlWs.createClient({ url: socketUrl.href, connectionParams: () => headers });
  const fetcher = GraphiQL.createFetcher({ url: url.href, wsClient: client });

  const fetcherWithHeaders = (parameters, options) => {
    const given = options?.headers ?? {};
    if (JSON.stringify(given) !== JSON.stringify(headers)) client.terminate(); // introduce anew
    headers = given;
    return fetcher(parameters, options);
  };

  const defaultQuery = `# Press the button, or Ctrl-Enter; Ctrl-Space completes.
# The book on the left documents everything.
# A token goes into Headers, below:
#   {"authorization": "Bearer …"}

{
  studies {
    title
    cycles {
      nodes {
        title
        question
        workshops
        people
        turningPoints
      }
    }
    activityFeed(last: 5) {
      nodes {
        line
      }
    }
  }
}
`;
  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(GraphiQL, { fetcher: fetcherWithHeaders, defaultQuery }),
  );
}
