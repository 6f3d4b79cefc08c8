import ArgumentParser
import Foundation
import MeteringModel
import MeteringPorts
import SQLCatalog

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Read, export and verify the log of all changes; decide past decisions again.",
        subcommands: [List.self, Export.self, Head.self, Verify.self, Evaluate.self])

    struct List: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes: who, when, why, what.",
            discussion: """
                EXAMPLE
                  tollgate audit list --customer acme

                \(CommandExit.help)
                """)

        @OptionGroup var filter: AuditFilterOptions
        @Option(help: "Rows of a page (1 … 1000).") var limit = 100
        @Option(help: "Go on after the page whose answer named this cursor.") var cursor: String?
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let pages = PageReader(
                path: ["v1", "audit"], query: filter.query, limit: limit, cursor: cursor,
                readsAll: false)
            var table = TextTable([
                ("SEQ", .right), ("AT", .left), ("ACTOR", .left), ("SOURCE", .left),
                ("ACTION", .left), ("RECORD", .left), ("EFFECTIVE", .left), ("REQUEST", .left),
                ("REASON", .left),
            ])
            let next = try await pages.readItems(client, connection) { row in
                func text(_ name: String) -> String { row[name]?.text ?? "" }
                table.add([
                    row["seq"]?.digits ?? "", text("at"), text("actor"), text("source"),
                    text("action"), "\(text("kind")) \(text("id"))", text("effective_at"),
                    text("request_id"), text("reason"),
                ])
            }
            if connection.json { return }
            if table.isEmpty { return Terminal.message("no changes") }
            Terminal.result(table.text)
            if let next { Terminal.message("more: --cursor \(next)") }
        }
    }

    struct Export: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "The whole log as NDJSON, with its hashes, for keeping elsewhere.",
            discussion: """
                Only a whole export can be verified or evaluated; one with a filter is for reading.

                EXAMPLE
                  tollgate audit export > audit.ndjson

                \(CommandExit.help)
                """)

        @OptionGroup var filter: AuditFilterOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            try await AuditPages.walk(client, filter.query) { row in
                Terminal.result(row.canonicalText)
            }
        }
    }

    struct Head: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "The last row's hash, signed: keep it where nobody here can change it.")
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let data = try await client.answer(APIRequest(.get, ["v1", "audit", "head"]))
            Terminal.result(json: data)
        }
    }
}

struct AuditFilterOptions: ParsableArguments {
    @Option(help: "Only changes of this customer.") var customer: String?
    @Option(help: "Only records of this kind, e.g. subscription.") var kind: String?
    @Option(help: "Only the record with this id.") var id: String?
    @Option(help: "Only changes by this actor.") var actor: String?
    @Option(help: "Only changes of this request.") var request: String?
    @Option(help: "Made at or after, RFC 3339.") var from: String?
    @Option(help: "Made before, RFC 3339.") var to: String?

    var query: [(name: String, value: String)] {
        let values = [
            ("customer", customer), ("kind", kind), ("id", id), ("actor", actor),
            ("request_id", request), ("from", from), ("to", to),
        ]
        return values.compactMap { name, value in value.map { (name, $0) } }
    }
}

/// Walks over the audit log of a server.
enum AuditPages {
    static func walk(
        _ client: APIClient, _ query: [(name: String, value: String)],
        _ body: (Document) throws(ClientFailure) -> Void
    ) async throws(ClientFailure) {
        let pages = PageReader(
            path: ["v1", "audit"], query: query, limit: 1_000, cursor: nil, readsAll: true)
        _ = try await pages.read(client) { (data) throws(ClientFailure) in
            let page = try client.document(data)
            for row in page["items"]?.elements ?? [] { try body(row) }
            return page["next"]?.text
        }
    }
}
