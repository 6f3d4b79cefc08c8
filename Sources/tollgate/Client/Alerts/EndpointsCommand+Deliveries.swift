import ArgumentParser
import Foundation
import MeteringModel

extension EndpointsCommand {
    struct Deliveries: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "What was, is or shall be delivered; one message with its attempts.")
        @Argument(help: "The endpoint's id.") var id: String
        @Argument(help: "A message's id; a list without it.") var message: String?
        @Option(help: "waiting, delivered, failed or cancelled.") var state: String?
        @Option(help: "Rows of a page (1 … 1000).") var limit = 100
        @Option(help: "Go on after the page whose answer named this cursor.") var cursor: String?
        @Flag(help: "Every page, not only the first.") var all = false
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            let path = EndpointsCommand.path + [id, "deliveries"]
            if let message {
                let data = try await client.answer(APIRequest(.get, path + [message]))
                return try show(data, client, connection)
            }
            let pages = PageReader(
                path: path, query: state.map { [("state", $0)] } ?? [], limit: limit,
                cursor: cursor, readsAll: all)
            var table = TextTable([
                ("MESSAGE", .left), ("TYPE", .left), ("CUSTOMER", .left), ("STATE", .left),
                ("ATTEMPTS", .right), ("QUEUED", .left), ("LAST", .left),
            ])
            let next = try await pages.read(client) { (data) throws(ClientFailure) in
                if connection.json { Terminal.result(json: data) }
                let page = try client.document(data)
                for item in page["items"]?.elements ?? [] {
                    table.add(
                        ["message", "type", "customer", "state"].map { item[$0]?.text ?? "" } + [
                            item["attempts"]?.digits ?? "", item["queued_at"]?.text ?? "",
                            item["last_detail"]?.text ?? "",
                        ])
                }
                return page["next"]?.text
            }
            if connection.json { return }
            if table.isEmpty { return Terminal.message("no deliveries") }
            Terminal.result(table.text)
            if let next { Terminal.message("more: --cursor \(next), or --all") }
        }
    }

    struct Resend: ClientCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send one message again, or all that happened in a time, in order.",
            discussion: """
                EXAMPLES
                  tollgate endpoints resend ops --message 5f0c…
                  tollgate endpoints resend ops --from 2026-11-01 --to 2026-11-02

                \(CommandExit.help)
                """)
        @Argument(help: "The endpoint's id.") var id: String
        @Option(help: "One message's id.") var message: String?
        @Option(
            help: ArgumentHelp("From then on: RFC 3339, or a date in UTC.", valueName: "time"))
        var from: String?
        @Option(help: ArgumentHelp("Until before then.", valueName: "time")) var to: String?
        @OptionGroup var options: CommandOptions
        @OptionGroup var connection: ConnectionOptions

        func perform(_ client: APIClient) async throws(ClientFailure) {
            var request: APIRequest
            switch (message, from, to) {
            case (let message?, nil, nil):
                request = options.request(
                    EndpointsCommand.path + [id, "deliveries", message, "resend"])
            case (nil, let from?, let to?):
                request = options.request(EndpointsCommand.path + [id, "resend"])
                request.body = Data(
                    Document.object([
                        "from": .string(InstantText.rfc3339(from)),
                        "to": .string(InstantText.rfc3339(to)),
                    ]).canonicalBytes)
            default:
                throw ClientFailure(.usage, "give --message, or --from and --to")
            }
            try show(try await client.answer(request), client, connection)
        }
    }
}
