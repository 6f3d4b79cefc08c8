import Foundation
import MeteringModel

/// Walks over the pages of a list that is read with `limit` and `cursor`.
struct PageReader {
    var path: [String]
    var query: [(name: String, value: String)]
    var limit: Int
    var cursor: String?
    var readsAll: Bool

    /// - Parameter page: takes one page, and names the cursor of the next.
    /// - Returns: the cursor of the page after the last one read.
    func read(
        _ client: APIClient, _ page: (Data) throws(ClientFailure) -> String?
    ) async throws(ClientFailure) -> String? {
        var cursor = cursor
        repeat {
            var query = query + [("limit", String(limit))]
            if let cursor { query.append(("cursor", cursor)) }
            let next = try page(try await client.answer(APIRequest(.get, path, query: query)))
            // A server that names the same page again would keep us here for ever.
            if next == cursor { return nil }
            cursor = next
        } while readsAll && cursor != nil
        return cursor
    }

    /// `read` for pages that keep their rows in `items`: shown as they came under `--json`, and
    /// otherwise handed over one by one.
    func readItems(
        _ client: APIClient, _ connection: ConnectionOptions,
        _ item: (Document) throws(ClientFailure) -> Void
    ) async throws(ClientFailure) -> String? {
        try await read(client) { (data) throws(ClientFailure) in
            if connection.json { Terminal.result(json: data) }
            let page = try client.document(data)
            if !connection.json {
                for row in page["items"]?.elements ?? [] { try item(row) }
            }
            return page["next"]?.text
        }
    }
}
